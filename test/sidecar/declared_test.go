package sidecar

import (
	"errors"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/injector"
)

func portsSecret(t *testing.T, list string) []*anypb.Any {
	t.Helper()
	resource, err := anypb.New(&tlsv3.Secret{Name: httpPortsName, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
		Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: list}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return []*anypb.Any{resource}
}

func TestPortsAreDeclaredByThePodAndByTheControlPlane(t *testing.T) {
	s := &Sidecar{options: Options{Bootstrap: injector.Bootstrap{HTTPPorts: []uint16{80}}}}
	for _, step := range []struct {
		list string
		want []uint16
	}{{"", []uint16{80}}, {"81,8080", []uint16{80, 81, 8080}}, {"8080", []uint16{80, 8080}}, {"", []uint16{80}}} {
		if err := s.declared.take(portsSecret(t, step.list)); err != nil {
			t.Fatal(err)
		}
		for _, port := range []uint16{80, 81, 8080, 9090} {
			if got := s.isHTTP(port); got != slices.Contains(step.want, port) {
				t.Errorf("after %q: port %d is HTTP: %t", step.list, port, got)
			}
		}
	}
	for _, list := range []string{"0", "80,", "080", "65536", " 80", "1e3", "+1", "80;81"} {
		if err := s.declared.take(portsSecret(t, list)); err == nil {
			t.Errorf("took %q", list)
		}
	}
}

// TestAControlPlaneThatTellsOfNoPortsStillGivesACertificate is of those that
// refuse the name.
func TestAControlPlaneThatTellsOfNoPortsStillGivesACertificate(t *testing.T) {
	var d declared
	invalid, gone := status.Error(codes.InvalidArgument, "there is no such secret"), errors.New("closed")
	for i, step := range []struct {
		err               error
		brought, isAsking bool // isAsking is about the next stream
	}{{gone, false, true}, {invalid, false, false}, {gone, true, true}, {invalid, true, true}, {invalid, false, false}, {invalid, false, true}} {
		d.refused(step.err, step.brought)
		if got := len(d.names()) == 1; got != step.isAsking {
			t.Errorf("after stream %d: asks %t", i, got)
		}
	}
}
