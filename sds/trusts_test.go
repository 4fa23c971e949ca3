package sds

import (
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

// ackOf accepts what a step of the incremental protocol has sent.
func ackOf(out deltaStep) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResponseNonce: out.response.GetNonce()}
}

func TestABundleIsAcknowledgedWhereverItWasAskedForAndOnce(t *testing.T) {
	const outbound = "root-cert-for-mtls-outbound:bookstore/bookstore"
	a, now := newAuthority(t), time.Now()
	m := newDelta(a.id, "tag")
	do := func(out deltaStep, err error) deltaStep {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	do(m.request(adds(ownCert, ownRoots, outbound), now))
	sent := do(m.announce(a.update(a.certificate()), now))
	if sent.trusts {
		t.Error("acknowledged when it was sent")
	}
	if out := do(m.request(ackOf(sent), now)); !out.trusts || !m.bundle().Equal(a.bundle) {
		t.Error("not acknowledged when it was accepted")
	}
	renewed := do(m.announce(a.update(a.certificate()), now))
	if out := do(m.request(ackOf(renewed), now)); out.trusts {
		t.Error("acknowledged again with another certificate")
	}
	cert := a.certificate()
	a.newRoot()
	both := do(m.announce(a.update(cert), now))
	nack := ackOf(both)
	nack.ErrorDetail = &statuspb.Status{Message: "not for me"}
	if out := do(m.request(nack, now)); out.trusts {
		t.Error("acknowledged though it was rejected")
	}
}

func TestTheBundleIsSentAndAcknowledgedWithoutACertificate(t *testing.T) {
	a, now := newAuthority(t), time.Now()
	m := newDelta(a.id, "tag")
	_, err := m.request(adds(ownCert, ownRoots), now)
	if err != nil {
		t.Fatal(err)
	}
	u := a.update(a.certificate())
	cert := u.Certificate
	u.Certificate = nil
	sent, err := m.announce(u, now)
	if err != nil || len(sent.response.GetResources()) != 1 || sent.response.Resources[0].Name != ownRoots {
		t.Fatalf("sent is %v, error %v", sent.response, err)
	}
	out, err := m.request(ackOf(sent), now)
	if err != nil || !out.trusts || out.inUse != 0 {
		t.Errorf("step %+v, error %v", out, err)
	}
	u.Certificate = cert
	sent, err = m.announce(u, now)
	if err != nil || len(sent.response.GetResources()) != 1 || sent.response.Resources[0].Name != ownCert {
		t.Fatalf("sent is %v, error %v", sent.response, err)
	}
	if out, err = m.request(ackOf(sent), now); err != nil || out.inUse != u.Version {
		t.Errorf("step %+v, error %v", out, err)
	}
}

func TestAProxyThatComesBackWithTheBundleHasAcknowledgedIt(t *testing.T) {
	a, now := newAuthority(t), time.Now()
	u := a.update(a.certificate())
	first := newSotW(a.id, "one")
	if _, err := first.request(asks(ownCert, ownRoots), now); err != nil {
		t.Fatal(err)
	}
	sent, err := first.announce(u, now)
	if err != nil {
		t.Fatal(err)
	}
	again := asks(ownCert, ownRoots)
	again.VersionInfo = sent.response.GetVersionInfo()
	m := newSotW(a.id, "two")
	if _, err := m.request(again, now); err != nil {
		t.Fatal(err)
	}
	out, err := m.announce(u, now)
	if err != nil || out.response != nil || !out.trusts {
		t.Errorf("step %+v, error %v", out, err)
	}
}

func TestAProxyWithoutRootsAcknowledgesNone(t *testing.T) {
	a, now := newAuthority(t), time.Now()
	m := newDelta(a.id, "tag")
	if _, err := m.request(adds(ownCert), now); err != nil {
		t.Fatal(err)
	}
	sent, err := m.announce(a.update(a.certificate()), now)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := m.request(ackOf(sent), now); err != nil || out.trusts || out.inUse == 0 {
		t.Errorf("step %+v, error %v", out, err)
	}
}
