package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestCertificatesAreThoseOfTheAuthority(t *testing.T) {
	a, err := newAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.issue(leaf{
		name: "one", subject: pkix.Name{CommonName: "one"}, usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		dns: []string{"one.example"}, ips: []net.IP{net.IPv4(127, 0, 0, 1)},
	}); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(a.path("one.crt"), a.path("one.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for _, name := range []string{"one.example", "127.0.0.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Error(err)
		}
	}
	if err := a.kubeconfig("one", "https://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", a.path("one.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		t.Error(err)
	}
}
