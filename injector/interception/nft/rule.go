package nft

import (
	"slices"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is a list of matches, and what happens to that which matches them all.
type rule []expr.Any

// register is where a match loads what it compares.
const register = unix.NFT_REG_1

// The flags of a TCP header (RFC 9293, section 3.1), which are its byte 13.
const (
	tcpFlags = 13

	tcpFIN = 1 << 0
	tcpSYN = 1 << 1
	tcpRST = 1 << 2
	tcpACK = 1 << 4
)

// inboundRules lead connections from outside to the sidecar's port. What is for
// no address of the pod is on its way through it: a container of a Docker daemon
// in the pod calls out, for instance. That is neither inbound nor the pod's own.
func inboundRules(port uint16) []rule {
	return append(onlyNewTCP(),
		leaveAlone(meta(expr.MetaKeyIIFNAME), in(leftAloneInterfaces)),
		leaveAlone(destinationType(), isNot(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL))),
		leaveAlone(append([]expr.Any{destinationPort(), in(leftAloneInboundPorts)}, setLabel(exclusion())...)...),
		redirect(port),
	)
}

// outboundRules redirect all connections but the sidecar's to its port.
func outboundRules(uid uint32, port uint16, protocols []protocol) []rule {
	rules := append(onlyNewTCP(),
		leaveAlone(meta(expr.MetaKeyOIFNAME), in(leftAloneInterfaces)),
		leaveAlone(meta(expr.MetaKeySKUID), is(binaryutil.NativeEndian.PutUint32(uid))),
		leaveAlone(destinationPort(), in(leftAloneOutboundPorts)),
	)
	for _, p := range protocols {
		rules = append(rules,
			leaveAlone(append(p.destinationAddress(), in(p.leftAlone))...),
			redirect(port, append(p.destinationAddress(), in(p.intercepted))...))
	}
	return rules
}

// onlyNewTCP leaves alone whatever does not open a TCP connection. Of a
// connection that was there before the table, the kernel would take the next
// packet, in either direction, for a new connection's first.
func onlyNewTCP() []rule {
	return []rule{
		leaveAlone(meta(expr.MetaKeyL4PROTO), isNot([]byte{unix.IPPROTO_TCP})),
		leaveAlone(append(flags(tcpFIN|tcpSYN|tcpRST|tcpACK), isNot([]byte{tcpSYN}))...),
	}
}

func leaveAlone(matches ...expr.Any) rule {
	return append(slices.Clip(matches), &expr.Verdict{Kind: expr.VerdictReturn})
}

func redirect(port uint16, matches ...expr.Any) rule {
	return append(slices.Clip(matches),
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: register, RegisterProtoMax: register, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED})
}

func (p protocol) destinationAddress() []expr.Any {
	return []expr.Any{
		meta(expr.MetaKeyNFPROTO), is([]byte{p.number}),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: p.destination, Len: p.address.Bytes},
	}
}

// destinationType loads the type of the destination address (RTN_LOCAL and
// others of linux/rtnetlink.h) as the routes of the moment have it, whichever
// interface the address belongs to.
func destinationType() expr.Any {
	return &expr.Fib{Register: register, FlagDADDR: true, ResultADDRTYPE: true}
}

// flags loads those of a TCP header that the mask has.
func flags(mask byte) []expr.Any {
	return append([]expr.Any{transportHeader(tcpFlags, 1)}, masked([]byte{mask}))
}

func masked(mask []byte) expr.Any {
	return &expr.Bitwise{
		SourceRegister: register, DestRegister: register, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask)),
	}
}

func sourcePort() expr.Any { return transportHeader(0, 2) }

func destinationPort() expr.Any { return transportHeader(2, 2) }

func transportHeader(offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length}
}

func meta(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: register} }

func in(set string) expr.Any { return &expr.Lookup{SourceRegister: register, SetName: set} }

func notIn(set string) expr.Any {
	return &expr.Lookup{SourceRegister: register, SetName: set, Invert: true}
}

func is(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data} }

func isNot(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: data} }
