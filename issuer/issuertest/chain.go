package issuertest

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// checkNames wants the request's key under exactly the request's names.
func checkNames(t *testing.T, chain []*x509.Certificate, req *issuer.Request) {
	t.Helper()
	if _, err := req.Certificate(chain); err != nil {
		t.Errorf("the Manager would refuse it: %v", err)
	}
	leaf := chain[0]
	if key, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(req.PublicKey()) {
		t.Error("the public key is not the request's")
	}
	if got, want := leaf.Subject.CommonName, req.Subject().CommonName; got != want {
		t.Errorf("common name %q, want %q", got, want)
	}
	if !slices.Equal(leaf.DNSNames, req.DNSNames()) {
		t.Errorf("DNS names %q, want %q", leaf.DNSNames, req.DNSNames())
	}
	if !slices.EqualFunc(leaf.URIs, req.URIs(), func(a, b *url.URL) bool { return a.String() == b.String() }) {
		t.Errorf("URIs %q, want %q", leaf.URIs, req.URIs())
	}
	if n := len(leaf.IPAddresses) + len(leaf.EmailAddresses); n != 0 {
		t.Errorf("%d IP and e-mail addresses were added", n)
	}
	for _, usage := range req.Usages() {
		if !slices.Contains(leaf.ExtKeyUsage, usage) {
			t.Errorf("extended key usages %v, want %v", leaf.ExtKeyUsage, req.Usages())
		}
	}
}

// checkTrust wants the chain to verify for every usage, in Go's eyes and, with
// a SPIFFE ID, in SPIFFE's.
func checkTrust(t *testing.T, chain []*x509.Certificate, req *issuer.Request, roots trustbundle.TrustBundle) {
	t.Helper()
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			t.Errorf("the chain holds a root, %q", cert.Subject)
		}
		intermediates.AddCert(cert)
	}
	for _, usage := range req.Usages() {
		_, err := chain[0].Verify(x509.VerifyOptions{
			DNSName:       req.DNSNames()[0],
			Roots:         roots.Pool(),
			Intermediates: intermediates,
			KeyUsages:     []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			t.Errorf("it does not verify for usage %d: %v", usage, err)
		}
	}
	if len(req.URIs()) == 0 {
		return
	}
	id, err := spiffeid.FromURI(req.URIs()[0])
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := x509svid.Verify(chain, x509bundle.FromX509Authorities(id.TrustDomain(), roots.Roots()))
	if err != nil || got != id {
		t.Errorf("SPIFFE sees %q: %v", got, err)
	}
}

// checkLife wants what was asked for, or what the authority grants at most.
func (s suite) checkLife(t *testing.T, leaf *x509.Certificate, now time.Time, asked time.Duration) {
	t.Helper()
	if s.MaxTTL != 0 {
		asked = min(asked, s.MaxTTL)
	}
	if latest := now.Add(slack - s.Backdate); leaf.NotBefore.After(latest) {
		t.Errorf("valid from %s, want %s before %s", leaf.NotBefore, s.Backdate, now)
	}
	if end := now.Add(asked); leaf.NotAfter.Before(end.Add(-slack)) || leaf.NotAfter.After(end.Add(slack)) {
		t.Errorf("valid until %s, want %s after %s", leaf.NotAfter, asked, now)
	}
}
