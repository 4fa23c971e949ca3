package check

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestAnAPIServersTextIsClassifiedLikeTheErrorItself(t *testing.T) {
	const host = "osm-injector.mesh-east.svc"
	named := func(c *x509.Certificate) { c.DNSNames = []string{host} }
	plain := makePair(t, nil, asItIs)
	permitting := makePair(t, nil, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local"} })
	excluding := makePair(t, nil, func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"svc"} })
	served := func(by pair, change func(*x509.Certificate)) *x509.Certificate {
		return makePair(t, &by, change).Certificate
	}
	tests := map[string]struct {
		root, leaf *x509.Certificate
		want       rejection
	}{
		"of another root":           {permitting.Certificate, served(plain, named), untrusted},
		"not a permitted name":      {permitting.Certificate, served(permitting, named), forbidden},
		"an excluded name":          {excluding.Certificate, served(excluding, named), forbidden},
		"expired":                   {plain.Certificate, served(plain, func(c *x509.Certificate) { named(c); c.NotAfter = time.Now().Add(-time.Minute) }), unusable},
		"of tomorrow":               {plain.Certificate, served(plain, func(c *x509.Certificate) { named(c); c.NotBefore = time.Now().Add(time.Hour) }), unusable},
		"for another name":          {plain.Certificate, served(plain, func(c *x509.Certificate) { c.DNSNames = []string{"other.svc"} }), unusable},
		"for no name":               {plain.Certificate, served(plain, asItIs), unusable},
		"of no use that is allowed": {plain.Certificate, served(plain, func(c *x509.Certificate) { named(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), untrusted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(test.root)
			_, err := test.leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
			if err == nil {
				t.Fatal("it is accepted")
			}
			if of, in := rejectionOf(err), rejectionIn(err.Error()); of != test.want || in != test.want {
				t.Errorf("%v: by type %d, by text %d, want %d", err, of, in, test.want)
			}
		})
	}
}
