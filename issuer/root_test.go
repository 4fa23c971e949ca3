package issuer_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestCheckRootTakesWhatCanSignForAMesh(t *testing.T) {
	now := time.Now()
	tests := map[string]struct {
		change func(*x509.Certificate)
		want   string // "" when it is accepted
	}{
		"a root":                                    {func(*x509.Certificate) {}, ""},
		"a root without key usage":                  {func(c *x509.Certificate) { c.KeyUsage = 0 }, ""},
		"a clock that is ahead":                     {func(c *x509.Certificate) { c.NotBefore = now.Add(issuer.ClockSkew - time.Minute) }, ""},
		"valid from tomorrow":                       {func(c *x509.Certificate) { c.NotBefore = now.Add(24 * time.Hour) }, "not valid before"},
		"valid until now":                           {func(c *x509.Certificate) { c.NotAfter = now }, "expired at"},
		"valid until yesterday":                     {func(c *x509.Certificate) { c.NotAfter = now.Add(-24 * time.Hour) }, "expired at"},
		"a leaf":                                    {func(c *x509.Certificate) { c.IsCA = false }, "not a CA certificate"},
		"without basic constraints":                 {func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }, "not a CA certificate"},
		"a key that signs no more than revocations": {func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, "does not allow it to sign certificates"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template := rootTemplate(now)
			test.change(template)
			root := selfSigned(t, template)
			err := issuer.CheckRoot(root, now)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestCheckRootRefusesAnIntermediate(t *testing.T) {
	bad := newBadIssuer(t)
	intermediate := bad.sign(t, rootTemplate(time.Now()), testkit.CA(t).Root().PublicKey)
	if err := issuer.CheckRoot(intermediate, time.Now()); err == nil || !strings.Contains(err.Error(), "osm-ca.openservicemesh.io") {
		t.Errorf("error %v, want one that names its issuer", err)
	}
}

func rootTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "root"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
}

func selfSigned(t *testing.T, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
