package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Set sets a parameter of the namespace's network, such as net/ipv4/ip_forward.
func (n *Namespace) Set(t *testing.T, parameter, value string) {
	t.Helper()
	if err := n.Do(func() error { return os.WriteFile("/proc/sys/"+parameter, []byte(value), 0) }); err != nil {
		t.Fatal(err)
	}
}

// Receives has another namespace send something to an address of this one, and
// returns how many segments TCP received meanwhile, by the kernel's own count.
// Nothing else may be going on, and UDP must get through.
func (n *Namespace) Receives(t *testing.T, from *Namespace, address netip.Addr, send func() error) int {
	t.Helper()
	before, err := n.received()
	if err == nil {
		err = from.Do(send)
	}
	if err == nil {
		// What is sent later on the same way arrives later.
		err = n.awaitDatagram(from, address)
	}
	after, later := n.received()
	if err := errors.Join(err, later); err != nil {
		t.Fatalf("count what arrives at %s: %v", address, err)
	}
	return after - before
}

func (n *Namespace) awaitDatagram(from *Namespace, address netip.Addr) error {
	var receiver *net.UDPConn
	err := n.Do(func() (err error) {
		receiver, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, 0)))
		return err
	})
	if err != nil {
		return err
	}
	defer receiver.Close()
	if err := receiver.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	err = from.Do(func() error {
		sender, err := net.Dial("udp", receiver.LocalAddr().String())
		if err != nil {
			return err
		}
		_, err = sender.Write([]byte("!"))
		return errors.Join(err, sender.Close())
	})
	if err != nil {
		return err
	}
	_, err = receiver.Read(make([]byte, 1))
	return err
}

// received reads InSegs of RFC 4022, which counts for IPv4 and IPv6 both.
func (n *Namespace) received() (segments int, err error) {
	err = n.Do(func() error {
		data, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names, values []string
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); fields[0] == "Tcp:" {
				names, values = values, fields
			}
		}
		for i, name := range names {
			if name == "InSegs" && i < len(values) {
				segments, err = strconv.Atoi(values[i])
				return err
			}
		}
		return fmt.Errorf("no InSegs in %q", data)
	})
	return segments, err
}
