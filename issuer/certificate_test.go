package issuer_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/testkit"
)

// A badIssuer signs what a test makes of the request.
type badIssuer struct {
	root *x509.Certificate
	key  crypto.Signer
}

func newBadIssuer(t *testing.T) badIssuer {
	t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	return badIssuer{root, key}
}

func (b badIssuer) sign(t *testing.T, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, b.root, public, b.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func templateOf(req *issuer.Request) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               req.Subject(),
		DNSNames:              req.DNSNames(),
		URIs:                  req.URIs(),
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           req.Usages(),
		BasicConstraintsValid: true,
	}
}

func TestACertificateThatIsNotWhatWasAskedForIsRefused(t *testing.T) {
	bad := newBadIssuer(t)
	other := &url.URL{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/bookstore/sa/thief"}
	tests := map[string]struct {
		change func(*x509.Certificate)
		want   string // "" when it is accepted
	}{
		"as asked for":              {func(*x509.Certificate) {}, ""},
		"with an organization":      {func(c *x509.Certificate) { c.Subject.Organization = []string{"osm"} }, ""},
		"with another usage too":    {func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) }, ""},
		"another common name":       {func(c *x509.Certificate) { c.Subject.CommonName = "thief" }, `changed the common name to "thief"`},
		"no common name":            {func(c *x509.Certificate) { c.Subject = pkix.Name{} }, "changed the common name"},
		"no DNS name":               {func(c *x509.Certificate) { c.DNSNames = nil }, "changed the DNS names"},
		"another DNS name":          {func(c *x509.Certificate) { c.DNSNames = []string{"thief"} }, `changed the DNS names to ["thief"]`},
		"one more DNS name":         {func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "thief") }, "changed the DNS names"},
		"no URI":                    {func(c *x509.Certificate) { c.URIs = nil }, "changed the URIs"},
		"another URI":               {func(c *x509.Certificate) { c.URIs = []*url.URL{other} }, "changed the URIs"},
		"one more URI":              {func(c *x509.Certificate) { c.URIs = append(c.URIs, other) }, "changed the URIs"},
		"an IP address":             {func(c *x509.Certificate) { c.IPAddresses = []net.IP{{127, 0, 0, 1}} }, "added IP or e-mail"},
		"an e-mail address":         {func(c *x509.Certificate) { c.EmailAddresses = []string{"a@b"} }, "added IP or e-mail"},
		"a CA":                      {func(c *x509.Certificate) { c.IsCA = true }, "a CA certificate"},
		"a key that may certify":    {func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, "a CA certificate"},
		"a key that may revoke":     {func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }, "a CA certificate"},
		"a key that may not sign":   {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, "left out the key usage"},
		"no key usage":              {func(c *x509.Certificate) { c.KeyUsage = 0 }, "left out the key usage"},
		"no client authentication":  {func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }, "left out an extended key usage"},
		"no server authentication":  {func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }, "left out an extended key usage"},
		"no extended key usage":     {func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "left out an extended key usage"},
		"a certificate that ended":  {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }, "that ended at"},
		"a certificate of no life":  {func(c *x509.Certificate) { c.NotAfter = c.NotBefore }, "that ended at"},
		"a certificate of one year": {func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0) }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := service(t, "bookstore-v1")()
			if err != nil {
				t.Fatal(err)
			}
			template := templateOf(req)
			test.change(template)
			cert, err := req.Certificate([]*x509.Certificate{bad.sign(t, template, req.PublicKey())})
			if test.want == "" {
				if err != nil || !cert.NotAfter().Equal(template.NotAfter.Truncate(time.Second)) {
					t.Errorf("got %v, %v", cert, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "bookstore-v1.bookstore.cluster.local") {
				t.Errorf("error %v, want %q and the name", err, test.want)
			}
		})
	}
}

func TestACertificateOfAnotherKeyIsRefused(t *testing.T) {
	for _, algorithm := range []issuer.KeyAlgorithm{issuer.ECDSAP256, issuer.Ed25519, issuer.RSA2048} {
		req, err := service(t, "bookstore-v1")()
		if err != nil {
			t.Fatal(err)
		}
		other, err := issuer.NewServiceRequest(algorithm, identityOf(t, "bookstore-v1"))
		if err != nil {
			t.Fatal(err)
		}
		chain := []*x509.Certificate{newBadIssuer(t).sign(t, templateOf(req), other.PublicKey())}
		if _, err := req.Certificate(chain); err == nil || !strings.Contains(err.Error(), "certified another key") {
			t.Errorf("error %v for a key of %s", err, algorithm)
		}
	}
}

func TestAnEmptyChainIsRefused(t *testing.T) {
	req, err := service(t, "bookstore-v1")()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := req.Certificate(nil); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("error %v", err)
	}
}

func TestACertificateEndsWithTheFirstOfItsChain(t *testing.T) {
	bad := newBadIssuer(t)
	req, err := service(t, "bookstore-v1")()
	if err != nil {
		t.Fatal(err)
	}
	for life, ok := range map[time.Duration]bool{30 * time.Minute: true, 0: false} {
		end := time.Now().Add(life).Truncate(time.Second)
		intermediate := bad.sign(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: end.Add(-time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
		}, bad.root.PublicKey)
		cert, err := req.Certificate([]*x509.Certificate{bad.sign(t, templateOf(req), req.PublicKey()), intermediate})
		if ok && (err != nil || !cert.NotAfter().Equal(end)) || !ok && err == nil {
			t.Errorf("with an intermediate that ends at %s: %v, %v", end, cert, err)
		}
	}
}

func TestACertificateIsEncodedForEveryone(t *testing.T) {
	ca := testkit.CA(t)
	for _, algorithm := range keyAlgorithms {
		m := newManager(t, issuer.Options{KeyAlgorithm: algorithm}, signs("a", ca))
		cert, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1"))
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(cert.ChainPEM(), cert.KeyPEM())
		if err != nil {
			t.Fatal(err)
		}
		got := cert.TLS()
		if !pair.Leaf.Equal(cert.Leaf()) || !got.Leaf.Equal(cert.Leaf()) || len(got.Certificate) != 1 {
			t.Errorf("PEM and TLS hold %v and %v", pair.Leaf.Subject, got.Leaf.Subject)
		}
		if kindOf(got.PrivateKey.(crypto.Signer).Public()) != string(algorithm) {
			t.Errorf("the key is %T", got.PrivateKey)
		}
		if !strings.HasPrefix(string(cert.KeyPEM()), "-----BEGIN PRIVATE KEY-----\n") {
			t.Error("the key is not in PKCS #8")
		}
		for _, text := range [][]byte{cert.ChainPEM(), cert.KeyPEM()} {
			if block, rest := pem.Decode(text); !bytes.Equal(pem.EncodeToMemory(block), text) || len(rest) > 0 {
				t.Errorf("encoding/pem would write otherwise: %s", text)
			}
		}
		cert.ChainPEM()[0], cert.KeyPEM()[0] = 'x', 'x'
		if cert.ChainPEM()[0] != '-' || cert.KeyPEM()[0] != '-' {
			t.Error("the certificate can be changed")
		}
		handshake(t, cert, ca)
	}
}

// handshake uses the certificate on both sides.
func handshake(t *testing.T, cert *issuer.Certificate, ca *tresor.CA) {
	t.Helper()
	pool := bundleOf(t, ca).Pool()
	config := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{*cert.TLS()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		RootCAs:      pool,
		ServerName:   "bookstore-v1.bookstore.cluster.local",

		SessionTicketsDisabled: true, // nothing would read them from the pipe
	}
	left, right := net.Pipe()
	served := make(chan error, 1)
	go func() {
		server := tls.Server(left, config)
		served <- server.HandshakeContext(t.Context())
	}()
	client := tls.Client(right, config)
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Errorf("handshake of the client: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("handshake of the server: %v", err)
	}
}
