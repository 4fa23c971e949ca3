package sds

import (
	"slices"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
)

// fuzzUpdates are what the fuzz targets announce: certificates and bundles that
// change together and apart, and one that has expired.
func fuzzUpdates(f *testing.F) (identity.Identity, []issuer.Update, time.Time) {
	a := newAuthority(f)
	first, second := a.certificate(), a.certificate()
	updates := []issuer.Update{a.update(first), a.update(second)}
	a.newRoot()
	updates = append(updates, a.update(second), issuer.Update{Version: 4, Certificate: first})
	return a.id, updates, time.Now()
}

// permitted fails the test if a response holds anything but the identity's own.
func permitted(t *testing.T, id identity.Identity, names []string) {
	t.Helper()
	if len(names) == 0 || len(names) > maxNames {
		t.Fatalf("a response of %d secrets", len(names))
	}
	if len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Fatalf("a response with a secret twice: %q", names)
	}
	for _, name := range names {
		if _, err := parseName(name, id); err != nil {
			t.Fatalf("sent %q: %v", name, err)
		}
	}
}

// FuzzSotW feeds a stream updates and requests in any order. Each byte of the
// script picks one: an update, a request as it comes from the wire, an answer.
func FuzzSotW(f *testing.F) {
	id, updates, now := fuzzUpdates(f)
	wire, err := proto.Marshal(asks(ownCert, "default", "service-cert:bookstore/other"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 1, 2, 3, 4, 5}, wire)
	f.Add([]byte{4, 0, 1, 5, 2, 6, 3, 7}, []byte("\x1a\x07default\x1a\x06ROOTCA"))
	f.Fuzz(func(t *testing.T, script, wire []byte) {
		m := newSotW(id, "tag")
		var last *discoveryv3.DiscoveryResponse
		for i, op := range script {
			var out sotwStep
			var err error
			r := &discoveryv3.DiscoveryRequest{ResourceNames: []string{ownCert, "ROOTCA"}}
			if last != nil {
				r.VersionInfo, r.ResponseNonce = last.GetVersionInfo(), last.GetNonce()
			}
			switch op % 8 {
			case 0, 1, 2, 3:
				out, err = m.announce(updates[op%4], now.Add(time.Duration(op)*time.Minute))
			case 4:
				if proto.Unmarshal(wire, r) != nil {
					return
				}
				out, err = m.request(r, now)
			case 5:
				out, err = m.request(r, now)
			case 6:
				r.ErrorDetail = &statuspb.Status{Message: string(wire)}
				out, err = m.request(r, now)
			case 7:
				r.ResourceNames = r.ResourceNames[:i%2]
				out, err = m.request(r, now)
			}
			if err != nil {
				refusalOf(t, err)
				return
			}
			if op%8 == 6 && out.nacked && out.response != nil && out.response.GetVersionInfo() == last.GetVersionInfo() {
				t.Fatal("a NACK was answered with the same version")
			}
			if out.response != nil {
				last = out.response
				var names []string
				for _, resource := range last.GetResources() {
					names = append(names, secretName(t, resource))
				}
				permitted(t, id, names)
			}
		}
	})
}

// FuzzDelta does the same for the incremental protocol.
func FuzzDelta(f *testing.F) {
	id, updates, now := fuzzUpdates(f)
	wire, err := proto.Marshal(adds(ownCert, "default", "service-cert:bookstore/other"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0, 1, 2, 3, 4, 5}, wire)
	f.Add([]byte{4, 0, 1, 5, 2, 6, 3, 7}, []byte("\x1a\x07default\x1a\x06ROOTCA"))
	f.Fuzz(func(t *testing.T, script, wire []byte) {
		m := newDelta(id, "tag")
		var last *discoveryv3.DeltaDiscoveryResponse
		for i, op := range script {
			var out deltaStep
			var err error
			r := &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: last.GetNonce()}
			switch op % 8 {
			case 0, 1, 2, 3:
				out, err = m.announce(updates[op%4], now.Add(time.Duration(op)*time.Minute))
			case 4:
				if proto.Unmarshal(wire, r) != nil {
					return
				}
				out, err = m.request(r, now)
			case 5:
				r.ResourceNamesSubscribe = []string{ownCert, "ROOTCA"}
				out, err = m.request(r, now)
			case 6:
				r.ErrorDetail = &statuspb.Status{Message: string(wire)}
				out, err = m.request(r, now)
			case 7:
				r.ResourceNamesUnsubscribe = []string{ownCert, "ROOTCA"}[:i%2]
				out, err = m.request(r, now)
			}
			if err != nil {
				refusalOf(t, err)
				return
			}
			if out.response != nil {
				last = out.response
				var names []string
				for _, resource := range last.GetResources() {
					if name := secretName(t, resource.GetResource()); name != resource.GetName() {
						t.Fatalf("resource %q holds secret %q", resource.GetName(), name)
					}
					names = append(names, resource.GetName())
				}
				permitted(t, id, names)
			}
		}
	})
}
