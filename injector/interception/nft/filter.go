package nft

import (
	"slices"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Address translation acts on the first packet of a connection only, and
// connection tracking says which packet that is. It can be misled: by a segment
// that precedes the SYN, by its own timeouts, by connections that it did not see
// opened. So the filter chains accept what is proven, and drop the rest. Of what
// connection tracking holds they believe one label, which they set themselves.

// proof is the label (CONFIG_NF_CONNTRACK_LABELS) of a connection whose opening
// the filter chains saw and accepted, and which has no port of its own that is
// always open. It is the last of 128 bits: other software counts from the first.
func proof() []byte { return append(make([]byte, 15), 0x80) }

// exclusion is the label of a connection that was opened to a port that is left
// alone. Where others' rules lead it is their affair.
func exclusion() []byte { return append(make([]byte, 15), 0x40) }

// statusTranslated is IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h.
const statusTranslated = 1 << 5

// The directions are IP_CT_DIR_ORIGINAL and IP_CT_DIR_REPLY of linux/netfilter/nf_conntrack_tuple_common.h.
const (
	directionOriginal = 0
	directionReply    = 1
)

// inboundFilterRules accept what comes to the sidecar's ports, redirected or
// not, and to ports that are left alone. No SYN gets to another port, whatever
// connection tracking holds, and nothing else but replies to what the pod opened.
func inboundFilterRules() []rule {
	replies := append(proven(), direction(directionReply)...)
	return []rule{
		accept(meta(expr.MetaKeyIIFNAME), is(interfaceKey(loopback))),
		accept(meta(expr.MetaKeyL4PROTO), isNot([]byte{unix.IPPROTO_TCP})),
		prove(meta(expr.MetaKeyIIFNAME), in(leftAloneInterfaces)),
		accept(destinationPort(), in(leftAloneInboundPorts)),
		drop(opening()...),
		accept(replies...),
	}
}

// outboundFilterRules accept what the sidecar sends, replies from the ports that
// are open to inbound connections, what is redirected, and what is left alone.
// The last rule is for packets that the kernel sends without a socket that a
// process holds, and so without a user: the end of a connection is such.
func outboundFilterRules(uid uint32, port uint16, protocols []protocol) []rule {
	rules := []rule{
		// Docker leads what the pod sends to a published port of its own on to
		// the container, whose replies come over another interface.
		prove(append([]expr.Any{meta(expr.MetaKeyOIFNAME), is(interfaceKey(loopback))}, translated()...)...),
		accept(meta(expr.MetaKeyOIFNAME), is(interfaceKey(loopback))),
		accept(meta(expr.MetaKeyL4PROTO), isNot([]byte{unix.IPPROTO_TCP})),
		prove(meta(expr.MetaKeyOIFNAME), in(leftAloneInterfaces)),
		prove(meta(expr.MetaKeySKUID), is(binaryutil.NativeEndian.PutUint32(uid))),
		accept(append(notOpening(), sourcePort(), in(leftAloneInboundPorts))...),
		prove(append(opening(), destinationPort(), in(leftAloneOutboundPorts))...),
	}
	for _, p := range protocols {
		redirected := []expr.Any{is(p.redirected.AsSlice()), destinationPort(), is(binaryutil.BigEndian.PutUint16(port))}
		rules = append(rules,
			// The chain still sees the interface of before the redirection.
			accept(append(p.destinationAddress(), redirected...)...),
			prove(slices.Concat(opening(), p.destinationAddress(), []expr.Any{in(p.leftAlone)})...),
			prove(slices.Concat(opening(), p.destinationAddress(), []expr.Any{notIn(p.intercepted)})...))
	}
	return append(rules, drop(opening()...), accept(proven()...))
}

// forwardFilterRules drop what was for an address of the pod, and what others'
// rules lead on, to a container that publishes a port. It is the sidecar's: a
// segment that opens no connection comes so far, and what follows it would. What
// else is forwarded passes.
func forwardFilterRules() []rule {
	return []rule{
		accept(meta(expr.MetaKeyL4PROTO), isNot([]byte{unix.IPPROTO_TCP})),
		accept(meta(expr.MetaKeyIIFNAME), in(leftAloneInterfaces)),
		accept(labelled(exclusion())...),
		drop(append(translated(), direction(directionOriginal)...)...),
	}
}

// translated matches what belongs to a connection that goes to another address
// or port than its first packet said.
func translated() []expr.Any {
	status := binaryutil.NativeEndian.PutUint32(statusTranslated)
	return []expr.Any{&expr.Ct{Key: expr.CtKeySTATUS, Register: register}, masked(status), is(status)}
}

func direction(of byte) []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeyDIRECTION, Register: register}, is([]byte{of})}
}

// opening matches a segment that opens a connection, or is to look like it.
func opening() []expr.Any { return append(flags(tcpSYN|tcpACK), is([]byte{tcpSYN})) }

func notOpening() []expr.Any { return append(flags(tcpSYN|tcpACK), isNot([]byte{tcpSYN})) }

// proven matches what belongs to a connection with the proof. A packet without a
// connection, such as one that is invalid or not tracked, matches nothing.
func proven() []expr.Any { return labelled(proof()) }

func labelled(label []byte) []expr.Any {
	return []expr.Any{&expr.Ct{Key: expr.CtKeyLABELS, Register: register}, masked(label), is(label)}
}

// setLabel adds a label to those of the connection.
func setLabel(label []byte) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: register, Data: label},
		&expr.Ct{Key: expr.CtKeyLABELS, Register: register, SourceRegister: true},
	}
}

// prove accepts, and has the connection remember it.
func prove(matches ...expr.Any) rule {
	return accept(slices.Concat(matches, setLabel(proof()))...)
}

func accept(matches ...expr.Any) rule {
	return append(slices.Clip(matches), &expr.Verdict{Kind: expr.VerdictAccept})
}

func drop(matches ...expr.Any) rule {
	return append(slices.Clip(matches), &expr.Verdict{Kind: expr.VerdictDrop})
}
