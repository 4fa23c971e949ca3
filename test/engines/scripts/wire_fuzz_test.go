package scripts

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dop251/goja"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// unframed is what came of a stream: the messages before what ended it.
type unframed struct {
	Messages [][]int
	Failed   bool
}

const mostOfAMessage = 4 << 20

// unframe is gRPC's framing without compression.
func unframe(data []byte) unframed {
	all := unframed{Messages: [][]int{}}
	for len(data) >= 5 {
		size := binary.BigEndian.Uint32(data[1:])
		if data[0] != 0 || size > mostOfAMessage {
			all.Failed = true
			return all
		}
		if uint64(len(data)) < 5+uint64(size) {
			return all
		}
		message := []int{}
		for _, b := range data[5 : 5+size] {
			message = append(message, int(b))
		}
		all.Messages, data = append(all.Messages, message), data[5+size:]
	}
	return all
}

// FuzzUnframe holds grpc.js to the framing of gRPC, in whatever pieces it comes.
func FuzzUnframe(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0}, uint8(3))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, uint8(1))
	f.Add([]byte{0, 255, 255, 255, 255}, uint8(9))
	f.Add([]byte{0, 0, 64, 0, 1, 1}, uint8(2))
	f.Add([]byte{2, 0, 0, 0, 1, 1}, uint8(5))
	scripts := load(f)
	if _, err := scripts.vm.RunString(`function unframed(list, piece) {
		var got = { Messages: [], Failed: false }
		var take = scripts.grpc.unframer(function (m) { got.Messages.push(m.toArray()) })
		try {
			for (var i = 0; i < list.length; i += piece) take(new Data(list.slice(i, i + piece)))
		} catch (e) { got.Failed = true }
		return JSON.stringify(got)
	}`); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		list := []any{}
		for _, b := range data {
			list = append(list, int(b))
		}
		var got unframed
		call(t, scripts, "unframed", &got, scripts.vm.NewArray(list...), max(1, int(piece)))
		if diff := cmp.Diff(unframe(data), got); diff != "" {
			t.Errorf("%x in pieces of %d: %s", data, piece, diff)
		}
	})
}

// call calls a function of the scripts that returns JSON.
func call(t *testing.T, scripts functions, name string, into any, arguments ...any) {
	t.Helper()
	function, ok := goja.AssertFunction(scripts.vm.Get(name))
	if !ok {
		t.Fatalf("no function %s", name)
	}
	values := make([]goja.Value, len(arguments))
	for i, argument := range arguments {
		values[i] = scripts.vm.ToValue(argument)
	}
	answer, err := function(goja.Undefined(), values...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(answer.String()), into); err != nil {
		t.Fatal(err)
	}
}

// answered is a DiscoveryResponse with its secrets, nil if it was refused.
type answered struct {
	Version, Nonce string
	Secrets        []secretRead
}

type secretRead struct {
	Name                                    string
	CertificateChain, PrivateKey, TrustedCA string // base64
	Peers                                   []string
}

const secretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

// unmarshalled is how go-control-plane reads it.
func unmarshalled(data []byte) (*answered, error) {
	response := &discoveryv3.DiscoveryResponse{}
	if err := proto.Unmarshal(data, response); err != nil {
		return nil, err
	}
	all := &answered{Version: response.GetVersionInfo(), Nonce: response.GetNonce(), Secrets: []secretRead{}}
	for _, resource := range response.GetResources() {
		secret := &tlsv3.Secret{}
		if resource.GetTypeUrl() != secretType {
			return nil, fmt.Errorf("a resource of type %s", resource.GetTypeUrl())
		}
		if err := proto.Unmarshal(resource.GetValue(), secret); err != nil {
			return nil, err
		}
		pair, context := secret.GetTlsCertificate(), secret.GetValidationContext()
		read := secretRead{
			Name: secret.GetName(), CertificateChain: inlined(pair.GetCertificateChain()), PrivateKey: inlined(pair.GetPrivateKey()),
			TrustedCA: inlined(context.GetTrustedCa()), Peers: []string{},
		}
		for _, matcher := range context.GetMatchTypedSubjectAltNames() {
			read.Peers = append(read.Peers, matcher.GetMatcher().GetExact())
		}
		all.Secrets = append(all.Secrets, read)
	}
	return all, nil
}

func isASCII(a *answered) bool {
	text, err := json.Marshal(a)
	return err == nil && !bytes.ContainsFunc(text, func(r rune) bool { return r > 127 })
}

// known are the fields of a message by their numbers, with those of the messages
// in them.
type known map[protowire.Number]known

var (
	sourceRead = known{1: nil, 2: nil, 3: nil, 4: nil}
	// read is what the script reads of an answer, and what counts beside it.
	read = known{1: nil, 5: nil, 2: {1: nil, 2: {
		1: nil, 2: {1: sourceRead, 2: sourceRead}, 3: nil, 5: nil,
		4: {1: sourceRead, 15: {2: {1: nil, 2: nil, 3: nil, 5: nil, 7: nil, 8: nil}}},
	}}}
)

// prune leaves the fields that are known: Go decodes the others too, and the
// script does not. It is not ok for what is no protobuf.
func (k known) prune(data []byte) (pruned []byte, ok bool) {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, false
		}
		size := protowire.ConsumeFieldValue(number, kind, data[n:])
		if size < 0 {
			return nil, false
		}
		inner, isKnown := k[number]
		switch {
		case kind == protowire.BytesType && inner != nil:
			value, _ := protowire.ConsumeBytes(data[n:])
			message, ok := inner.prune(value)
			if !ok {
				return nil, false
			}
			pruned = protowire.AppendBytes(protowire.AppendTag(pruned, number, kind), message)
		case kind == protowire.BytesType && isKnown:
			pruned = append(pruned, data[:n+size]...)
		}
		data = data[n+size:]
	}
	return pruned, true
}

func inlined(source *corev3.DataSource) string {
	return base64.StdEncoding.EncodeToString(append(source.GetInlineBytes(), source.GetInlineString()...))
}

// fields decodes one level of protobuf for the stand-in of Pipy's decoder: the
// values of what has a length, by their numbers. It is not ok for what is no
// protobuf.
func fields(data []byte) (values map[int32][]string, ok bool) {
	values = map[int32][]string{}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, false
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(number, kind, data)
		if size < 0 {
			return nil, false
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data)
			values[int32(number)] = append(values[int32(number)], base64.StdEncoding.EncodeToString(value))
		}
		data = data[size:]
	}
	return values, true
}

const protobufStandIn = `
var protobuf = { decode: function (data) {
	var all = fields(data.toString('base64'))
	if (!all) return null
	function list(field) { return (all[field] || []).map(function (v) { return new Data(v, 'base64') }) }
	return {
		getBytesArray: list,
		getStringArray: function (field) { return list(field).map(function (d) { return d.toString() }) },
		getMessageArray: function (field) { return list(field).map(function (d) {
			var m = protobuf.decode(d)
			if (!m) throw 'no message'
			return m
		}) },
	}
} }
function answered(text) {
	function b64(d) { return d ? d.toString('base64') : '' }
	try {
		var r = scripts.xds.response(new Data(text, 'base64'))
		return JSON.stringify({ Version: r.version, Nonce: r.nonce, Secrets: r.resources.map(scripts.xds.secret).map(function (s) {
			return { Name: s.name, CertificateChain: b64(s.certificateChain), PrivateKey: b64(s.privateKey), TrustedCA: b64(s.trustedCA), Peers: s.peers }
		}) })
	} catch (e) { return 'null' }
}`

// FuzzAnswer holds that xds.js reads an answer as go-control-plane does, or
// refuses it. What decodes protobuf itself is Pipy, for which this has a
// stand-in; texts that are not ASCII are left to it.
func FuzzAnswer(f *testing.F) {
	source := func(text string) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte(text)}}
	}
	pair := &tlsv3.Secret{Name: "certificate", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: source("chain"), PrivateKey: source("key")}}}
	roots := &tlsv3.Secret{Name: "roots", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
		TrustedCa: source("roots"),
		MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{Matcher: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "spiffe://cluster.local/ns/a/sa/b"},
		}}},
	}}}
	add := func(secrets ...*tlsv3.Secret) []byte {
		response := &discoveryv3.DiscoveryResponse{VersionInfo: "1", Nonce: "2", TypeUrl: secretType}
		for _, secret := range secrets {
			resource, err := anypb.New(secret)
			if err != nil {
				f.Fatal(err)
			}
			response.Resources = append(response.Resources, resource)
		}
		data, err := proto.Marshal(response)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		return data
	}
	add()
	both := add(pair, roots)
	f.Add(both[:len(both)-1])
	f.Add(append(bytes.Clone(both), both...)) // every field twice
	resource := func(fields []byte) []byte {  // a Secret in an answer
		value := protowire.AppendTag(nil, 1, protowire.BytesType)
		value = protowire.AppendString(value, secretType)
		value = protowire.AppendTag(value, 2, protowire.BytesType)
		value = protowire.AppendBytes(value, fields)
		return protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), value)
	}
	one, err := proto.Marshal(pair)
	if err != nil {
		f.Fatal(err)
	}
	other, err := proto.Marshal(roots)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(resource(append(bytes.Clone(one), other...))) // of two types
	f.Add(resource(append(bytes.Clone(one), one...)))
	scripts := load(f)
	if err := scripts.vm.Set("fields", func(text string) any {
		data, err := base64.StdEncoding.DecodeString(text)
		if values, ok := fields(data); ok && err == nil {
			return values
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	if _, err := scripts.vm.RunString(protobufStandIn); err != nil {
		f.Fatal(err)
	}
	if v, err := scripts.vm.RunString(`answered('` + base64.StdEncoding.EncodeToString(both) + `')`); err != nil || v.String() == "null" {
		f.Fatalf("what a server sends is refused: %v", err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got *answered
		call(t, scripts, "answered", &got, base64.StdEncoding.EncodeToString(data))
		if got == nil {
			return
		}
		pruned, ok := read.prune(data)
		if !ok {
			t.Fatalf("%x: what is read of it is no protobuf", data)
		}
		want, err := unmarshalled(pruned)
		if err != nil && strings.Contains(err.Error(), "UTF-8") || !isASCII(got) {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%x: error %v: %s", data, err, diff)
		}
	})
}
