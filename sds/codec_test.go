package sds

import (
	"bytes"
	"errors"
	"net"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/net/http2"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func full() *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{
		Node:    &corev3.Node{Id: "proxy", Extensions: []*corev3.Extension{{}, {}}},
		TypeUrl: secretType, ResourceNamesSubscribe: []string{ownCert, ownRoots}, ResourceNamesUnsubscribe: []string{"default"},
		InitialResourceVersions: map[string]string{ownCert: "1"}, ResponseNonce: "n.1",
		ErrorDetail: &statuspb.Status{Code: 3, Message: "no", Details: []*anypb.Any{{}, {}}},
	}
}

// what returns of a request what the protocols read.
func what(r *discoveryv3.DeltaDiscoveryRequest) *discoveryv3.DeltaDiscoveryRequest {
	r = proto.CloneOf(r)
	r.Node, r.ResourceLocatorsSubscribe, r.ResourceLocatorsUnsubscribe = nil, nil, nil
	if r.ErrorDetail != nil {
		r.ErrorDetail.Details = nil
		r.ErrorDetail.ProtoReflect().SetUnknown(nil)
	}
	r.ProtoReflect().SetUnknown(nil)
	return r
}

// FuzzCodec holds the codec to the one that it wraps, but for what is not read.
func FuzzCodec(f *testing.F) {
	for _, r := range []*discoveryv3.DeltaDiscoveryRequest{full(), {}} {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x3a, 0x02, 0x1a, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		pruned, whole := &discoveryv3.DeltaDiscoveryRequest{}, &discoveryv3.DeltaDiscoveryRequest{}
		err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, pruned)
		if proto.Unmarshal(data, whole) != nil {
			return // what is malformed where nothing is read of it may pass
		}
		if err != nil && !errors.Is(err, errNames) {
			t.Fatalf("%x is refused: %v", data, err)
		}
		if err == nil && !proto.Equal(pruned, what(whole)) {
			t.Fatalf("%x is %v, want %v", data, pruned, what(whole))
		}
	})
}

func TestARequestMayNameSoManySecrets(t *testing.T) {
	for names, want := range map[int]error{maxRequestNames: nil, maxRequestNames + 1: errNames} {
		data, err := proto.Marshal(&discoveryv3.DiscoveryRequest{ResourceNames: make([]string, names)})
		if err != nil {
			t.Fatal(err)
		}
		if err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, &discoveryv3.DiscoveryRequest{}); !errors.Is(err, want) {
			t.Errorf("%d names: %v", names, err)
		}
	}
}

func TestFramesAreReadAsTheyCome(t *testing.T) {
	request := append([]byte{0, 0, 0, 0, 200}, make([]byte, 200)...)
	var one, tiny, padded, begun, ended bytes.Buffer
	for _, b := range []*bytes.Buffer{&one, &tiny, &padded, &begun, &ended} {
		b.WriteString(http2.ClientPreface)
	}
	write := func(b *bytes.Buffer, stream uint32, data []byte) {
		t.Helper()
		if err := http2.NewFramer(b, nil).WriteData(stream, false, data); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // whole ones, and such as end in one frame and begin in another
		write(&one, 1, request)
		write(&one, 3, append(append([]byte{}, request...), request[:7]...))
		write(&one, 3, request[7:])
	}
	for _, b := range request {
		write(&tiny, 1, []byte{b})
	}
	if err := http2.NewFramer(&padded, nil).WriteDataPadded(1, false, request, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	for stream := range uint32(maxOpenMessages + 1) {
		write(&begun, 2*stream+1, request[:9])
	}
	for stream := range uint32(maxOpenMessages + 1) { // such as their trailers end
		write(&ended, 2*stream+1, request[:9])
		trailers := http2.HeadersFrameParam{StreamID: 2*stream + 1, EndStream: true, EndHeaders: true}
		if err := http2.NewFramer(&ended, nil).WriteHeaders(trailers); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"requests that trailers end": {ended.Bytes(), nil},
		"requests":                   {one.Bytes(), nil}, "a request in frames of a byte": {tiny.Bytes(), errTooSmall},
		"a padded one": {padded.Bytes(), errPadded}, "too many that have only begun": {begun.Bytes(), errTooMany},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			near, _ := net.Pipe()
			f := newFrames(near)
			var err error
			for rest := c.sent; len(rest) > 0 && err == nil; {
				n := min(size, len(rest))
				err = f.take(rest[:n])
				rest = rest[n:]
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %d bytes at a time: %v, want %v", name, size, err, c.want)
			}
			if c.want == nil && len(f.messages) != 0 {
				t.Errorf("%s: %d requests have only begun", name, len(f.messages))
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
