package sds

import (
	"errors"
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec decodes of requests what the protocols read, so that a request takes no
// more memory than its bytes account for: an empty message in a repeated field
// is two bytes on the wire and a hundred in memory.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2. gRPC's own takes a megabyte for what is
// longer than 32 kB, and has it until the proxy has read it.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a message", v)
	}
	data, err := proto.Marshal(message)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

// fields are those that are kept, by their numbers.
type fields map[protowire.Number]field

// field is of one wire type. Of another it is an unknown field to those who read
// it, which is not kept.
type field struct {
	kind  protowire.Type
	names bool   // one of them names a secret
	only  fields // of a message, what is kept in turn; all of it when nil
}

// The numbers are those of envoy/service/discovery/v3/discovery.proto, and of
// google/rpc/status.proto.
var (
	textField  = field{kind: protowire.BytesType}
	namesField = field{kind: protowire.BytesType, names: true}
	faultField = field{kind: protowire.BytesType, only: fields{1: {kind: protowire.VarintType}, 2: textField}}

	sotwFields  = fields{1: textField, 3: namesField, 4: textField, 5: textField, 6: faultField}
	deltaFields = fields{2: textField, 3: namesField, 4: namesField, 5: namesField, 6: textField, 7: faultField}
)

// maxRequestNames is what a request may name: all that a stream subscribes to,
// and as much again that it no longer does.
const maxRequestNames = 2 * (maxNames + maxAddresses)

var errNames = fmt.Errorf("a request names more than %d secrets", maxRequestNames)

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	var keep fields
	switch v.(type) {
	case *discoveryv3.DiscoveryRequest:
		keep = sotwFields
	case *discoveryv3.DeltaDiscoveryRequest:
		keep = deltaFields
	default:
		return errors.New("not a request of SDS")
	}
	names := 0
	kept, err := keep.prune(data.Materialize(), &names)
	if err != nil {
		return err
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{mem.SliceBuffer(kept)}, v)
}

// prune returns the message with the fields that are kept, and counts names.
func (f fields) prune(message []byte, names *int) ([]byte, error) {
	var kept []byte
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		whole := message[:n+size]
		message = message[n+size:]
		field, ok := f[number]
		if !ok || kind != field.kind {
			continue
		}
		if field.names {
			if *names++; *names > maxRequestNames {
				return nil, errNames
			}
		}
		if field.only != nil {
			value, _ := protowire.ConsumeBytes(whole[n:])
			inner, err := field.only.prune(value, names)
			if err != nil {
				return nil, err
			}
			kept = protowire.AppendBytes(append(kept, whole[:n]...), inner)
			continue
		}
		kept = append(kept, whole...)
	}
	return kept, nil
}
