package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

func ecdsaKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func raw(id asn1.ObjectIdentifier, critical bool, value ...byte) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func TestCheckRootRefusesWhatSomePeerDoes(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asIs := func(*x509.Certificate) {}
	usages := func(all ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = all }
	}
	p256, rsa2048 := ecdsaKey(t, elliptic.P256()), rsaKey(t, 2048)
	keyUsage, authorityKeyID := asn1.ObjectIdentifier{2, 5, 29, 15}, asn1.ObjectIdentifier{2, 5, 29, 35}
	tests := map[string]struct {
		key    crypto.Signer
		change func(*x509.Certificate)
		want   string // "" when it is accepted
	}{
		"P-256":            {p256, asIs, ""},
		"P-384":            {ecdsaKey(t, elliptic.P384()), asIs, ""},
		"P-521":            {ecdsaKey(t, elliptic.P521()), asIs, ""},
		"P-224":            {ecdsaKey(t, elliptic.P224()), asIs, "curve P-224"},
		"Ed25519":          {edKey, asIs, ""},
		"RSA of 2048 bits": {rsa2048, asIs, ""},
		"RSA of 2047 bits": {rsaKey(t, 2047), asIs, "has 2047 bits"},
		"RSA of 1024 bits": {rsaKey(t, 1024), asIs, "has 1024 bits: use RSA of 2048"},
		"RSA-PSS":          {rsa2048, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA256WithRSAPSS }, ""},
		"SHA-1 with RSA":   {rsa2048, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }, ""},
		"SHA-1 with ECDSA": {p256, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }, ""},
		"both usages":      {p256, usages(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageEmailProtection), ""},
		"servers alone":    {p256, usages(x509.ExtKeyUsageServerAuth), "leaves out server or client authentication"},
		"clients alone":    {p256, usages(x509.ExtKeyUsageClientAuth), "leaves out server or client authentication"},
		"any usage":        {p256, usages(x509.ExtKeyUsageAny), "leaves out server or client authentication"},
		"another usage":    {p256, func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }, "leaves out server or client"},
		"no key usage bit": {p256, func(c *x509.Certificate) {
			c.KeyUsage = 0
			raw(keyUsage, true, 0x03, 0x02, 0x07, 0x00)(c)
		}, "key usage does not allow"},
		"signatures alone": {p256, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, "key usage does not allow"},
		"no intermediates": {p256, func(c *x509.Certificate) { c.MaxPathLenZero = true }, ""},
		"no subject":       {p256, func(c *x509.Certificate) { c.Subject = pkix.Name{} }, "has no subject"},
		"an unknown critical extension": {p256, raw(asn1.ObjectIdentifier{1, 2, 3, 4}, true, 0x05, 0x00),
			"critical extension 1.2.3.4"},
		"an unknown extension": {p256, raw(asn1.ObjectIdentifier{1, 2, 3, 4}, false, 0x05, 0x00), ""},
		"another's key identifier": {p256, func(c *x509.Certificate) {
			c.SubjectKeyId, c.AuthorityKeyId = []byte{1, 2}, []byte{3, 4}
		}, "authority key identifier"},
		"its own key identifier": {p256, func(c *x509.Certificate) {
			c.SubjectKeyId, c.AuthorityKeyId = []byte{1, 2}, []byte{1, 2}
		}, ""},
		"its own serial number":     {p256, raw(authorityKeyID, false, 0x30, 0x03, 0x82, 0x01, 0x01), ""},
		"another's serial number":   {p256, raw(authorityKeyID, false, 0x30, 0x03, 0x82, 0x01, 0x09), "authority key identifier"},
		"a usage that is not known": {p256, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template := rootTemplate(time.Now())
			test.change(template)
			root := signed(t, template, template, test.key.Public(), test.key)
			if err := issuer.CheckRoot(root, time.Now()); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if test.want == "" { // what is accepted works
				ca, err := tresor.New(root, test.key)
				if err == nil {
					err = issuer.Try(t.Context(), ca, issuer.DefaultKeyAlgorithm, identityOf(t, "bookstore-v1"))
				}
				if err != nil {
					t.Errorf("a trial: %v", err)
				}
			}
		})
	}
}

func TestNameConstraintsHaveToAllowTheMesh(t *testing.T) {
	nameConstraints := asn1.ObjectIdentifier{2, 5, 29, 30}
	tests := map[string]struct {
		change func(*x509.Certificate)
		want   string // "" when it is accepted
	}{
		"none":                           {func(*x509.Certificate) {}, ""},
		"the trust domain and servers":   {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local", "svc"} }, ""},
		"below both":                     {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{".Cluster.Local", ".osm-system.svc"} }, ""},
		"a domain above":                 {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"local", "svc"} }, ""},
		"the trust domain alone":         {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local"} }, "below osm-system.svc"},
		"another domain":                 {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com", "svc"} }, "below cluster.local"},
		"one namespace":                  {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"osm-system.cluster.local", "svc"} }, "below cluster.local"},
		"a domain that ends alike":       {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"r.local", "svc"} }, "below cluster.local"},
		"without the trust domain":       {func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"cluster.local"} }, "below cluster.local"},
		"without one namespace":          {func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"bank.cluster.local"} }, "below cluster.local"},
		"without another domain":         {func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"example.com"} }, ""},
		"URIs of the trust domain":       {func(c *x509.Certificate) { c.PermittedURIDomains = []string{"cluster.local"} }, ""},
		"URIs below a domain":            {func(c *x509.Certificate) { c.PermittedURIDomains = []string{".local"} }, ""},
		"URIs of a domain above":         {func(c *x509.Certificate) { c.PermittedURIDomains = []string{"local"} }, "spiffe://cluster.local/"},
		"URIs of another domain":         {func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }, "spiffe://cluster.local/"},
		"without URIs of the domain":     {func(c *x509.Certificate) { c.ExcludedURIDomains = []string{"local"} }, "spiffe://cluster.local/"},
		"e-mail addresses":               {func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"example.com"} }, ""},
		"directory names, not critical":  {raw(nameConstraints, false, 0x30, 0x08, 0xa0, 0x06, 0x30, 0x04, 0xa4, 0x02, 0x30, 0x00), "of another kind"},
		"registered IDs, not critical":   {raw(nameConstraints, false, 0x30, 0x07, 0xa0, 0x05, 0x30, 0x03, 0x88, 0x01, 0x01), "of another kind"},
		"without directories, as inline": {raw(nameConstraints, false, 0x30, 0x08, 0xa1, 0x06, 0x30, 0x04, 0xa4, 0x02, 0x30, 0x00), "of another kind"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template := rootTemplate(time.Now())
			test.change(template)
			root := selfSigned(t, template)
			err := issuer.CheckNames(root, issuer.Names{TrustDomain: "cluster.local", Servers: "osm-system.svc"})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestATrialShowsWhatAnIntermediateIsWorth(t *testing.T) {
	tests := map[string]struct {
		root, intermediate func(*x509.Certificate)
		key                crypto.Signer
		want               string
	}{
		"a good one":                  {func(*x509.Certificate) {}, func(*x509.Certificate) {}, ecdsaKey(t, elliptic.P256()), ""},
		"a root that allows none":     {func(c *x509.Certificate) { c.MaxPathLenZero = true }, func(*x509.Certificate) {}, ecdsaKey(t, elliptic.P256()), "too many intermediates"},
		"a short RSA key":             {func(*x509.Certificate) {}, func(*x509.Certificate) {}, rsaKey(t, 1024), "has 1024 bits"},
		"no client authentication":    {func(*x509.Certificate) {}, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, ecdsaKey(t, elliptic.P256()), "leaves out server or client"},
		"constraints of its own":      {func(*x509.Certificate) {}, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, ecdsaKey(t, elliptic.P256()), "not permitted"},
		"URI constraints of the root": {func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }, func(*x509.Certificate) {}, ecdsaKey(t, elliptic.P256()), "not permitted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rootKey := ecdsaKey(t, elliptic.P256())
			template := rootTemplate(time.Now())
			test.root(template)
			root := signed(t, template, template, rootKey.Public(), rootKey)
			template = rootTemplate(time.Now())
			template.Subject.CommonName = "intermediate"
			test.intermediate(template)
			intermediate := signed(t, template, root, test.key.Public(), rootKey)
			request, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, identityOf(t, "bookstore-v1"))
			if err != nil {
				t.Fatal(err)
			}
			leaf := signed(t, &x509.Certificate{
				SerialNumber: template.SerialNumber, NotBefore: template.NotBefore, NotAfter: template.NotAfter,
				Subject: request.Subject(), DNSNames: request.DNSNames(), URIs: request.URIs(), ExtKeyUsage: request.Usages(), KeyUsage: x509.KeyUsageDigitalSignature,
			}, intermediate, request.PublicKey(), test.key)
			err = request.Verify([]*x509.Certificate{leaf, intermediate}, trustbundle.New(root), time.Now())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func signed(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
