package netns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h and
// nf_conntrack_common.h call by these names.
const (
	nfnlSubsysCtnetlink = 1
	ipctnlMsgCTNew      = 0
	ipctnlMsgCTDelete   = 2

	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaStatus     = 3
	ctaTimeout    = 7

	ctaTupleIP      = 1
	ctaTupleProto   = 2
	ctaIPv4Src      = 1
	ctaIPv4Dst      = 2
	ctaProtoNum     = 1
	ctaProtoSrcPort = 2
	ctaProtoDstPort = 3

	ipsSeenReply = 1 << 1
	ipsAssured   = 1 << 2
	ipsConfirmed = 1 << 3
)

// trackedAtOnce is how many connections one message to the kernel holds.
const trackedAtOnce = 512

// FillConntrack has the namespace track as many connections as the kernel
// allows, and keep them: it drops what would need one more. empty ends that.
func (n *Namespace) FillConntrack(t *testing.T) (empty func()) {
	t.Helper()
	if err := n.Do(fillConntrack); err != nil {
		t.Fatalf("fill the table of connections: %v", err)
	}
	return func() {
		t.Helper()
		if err := n.Do(emptyConntrack); err != nil {
			t.Fatalf("empty the table of connections: %v", err)
		}
	}
}

func fillConntrack() (err error) {
	limit, err := conntrackParameter("max")
	if err != nil {
		return err
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	for next := 0; next < limit; {
		var messages []netlink.Message
		for ; next < limit && len(messages) < trackedAtOnce; next++ {
			m, err := trackedUDP(uint32(next))
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
		if _, err := conn.SendMessages(messages); err != nil {
			return err
		}
	}
	// What has no place any more is an error of its last messages.
	if count, err := conntrackParameter("count"); err != nil || count < limit {
		return fmt.Errorf("%d connections are tracked, want %d: %w", count, limit, err)
	}
	return nil
}

// trackedUDP makes flow number i of UDP one that is tracked, and that does not
// give way to another (IPS_ASSURED).
func trackedUDP(i uint32) (netlink.Message, error) {
	const benchmark = 198<<24 | 18<<16 // of 198.18.0.0/15, by RFC 2544
	from := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, benchmark|i>>14)))
	to, port := netip.AddrFrom4([4]byte{198, 19, 255, 255}), uint16(i&(1<<14-1))+1
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	e.Nested(ctaTupleOrig, tuple(from, to, port, 9))
	e.Nested(ctaTupleReply, tuple(to, from, 9, port))
	e.Uint32(ctaStatus, ipsSeenReply|ipsAssured|ipsConfirmed)
	e.Uint32(ctaTimeout, 600)
	data, err := e.Encode()
	return netlink.Message{
		Header: netlink.Header{Type: nfnlSubsysCtnetlink<<8 | ipctnlMsgCTNew, Flags: netlink.Request | netlink.Create},
		Data:   append([]byte{unix.AF_INET, 0, 0, 0}, data...),
	}, err
}

func tuple(from, to netip.Addr, fromPort, toPort uint16) func(*netlink.AttributeEncoder) error {
	return func(e *netlink.AttributeEncoder) error {
		e.Nested(ctaTupleIP, func(e *netlink.AttributeEncoder) error {
			e.Bytes(ctaIPv4Src, from.AsSlice())
			e.Bytes(ctaIPv4Dst, to.AsSlice())
			return nil
		})
		e.Nested(ctaTupleProto, func(e *netlink.AttributeEncoder) error {
			e.Uint8(ctaProtoNum, unix.IPPROTO_UDP)
			e.Uint16(ctaProtoSrcPort, fromPort)
			e.Uint16(ctaProtoDstPort, toPort)
			return nil
		})
		return nil
	}
}

// emptyConntrack has the kernel forget every connection of the namespace.
func emptyConntrack() error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: nfnlSubsysCtnetlink<<8 | ipctnlMsgCTDelete, Flags: netlink.Request | netlink.Acknowledge},
		Data:   []byte{unix.AF_UNSPEC, 0, 0, 0},
	})
	return err
}

func conntrackParameter(name string) (int, error) {
	data, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_" + name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
