package certmanager

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// authority is a certificate and its key, in a test.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// sign makes a certificate that parent signed, or that signs itself.
func sign(t *testing.T, name string, ca bool, begin time.Time, parent *authority) *authority {
	t.Helper()
	key, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: begin.Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	signer := &authority{template, key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func TestAChainIsWhatLeadsToARoot(t *testing.T) {
	now := time.Now()
	past := now.Add(-time.Minute)
	root := sign(t, "root", true, past, nil)
	intermediate := sign(t, "intermediate", true, past, root)
	other := sign(t, "other", true, past, nil)
	leaf, deep := sign(t, "leaf", false, past, root), sign(t, "deep", false, past, intermediate)
	foreign := sign(t, "foreign", false, past, other)
	soon, later := sign(t, "soon", false, now.Add(issuer.ClockSkew-time.Second), root), sign(t, "later", false, now.Add(issuer.ClockSkew+time.Minute), root)
	tests := map[string]struct {
		signed []*authority
		want   []*authority
	}{
		"a leaf":                                 {[]*authority{leaf}, []*authority{leaf}},
		"a leaf and its root":                    {[]*authority{leaf, root}, []*authority{leaf}},
		"a leaf and an intermediate":             {[]*authority{deep, intermediate}, []*authority{deep, intermediate}},
		"all three, and one that is not of them": {[]*authority{deep, other, root, intermediate}, []*authority{deep, intermediate}},
		"a leaf whose intermediate is missing":   {[]*authority{deep, root}, nil},
		"a leaf of another root":                 {[]*authority{foreign, other}, nil},
		"a leaf of a clock that is ahead":        {[]*authority{soon}, []*authority{soon}},
		"a leaf of the future":                   {[]*authority{later}, nil},
		"nothing":                                {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var signed bytes.Buffer
			for _, a := range test.signed {
				if err := pem.Encode(&signed, &pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}); err != nil {
					t.Fatal(err)
				}
			}
			chain, err := verify(signed.Bytes(), trustbundle.New(root.certificate), now)
			if (err == nil) != (test.want != nil) {
				t.Fatalf("error %v", err)
			}
			if !slices.EqualFunc(chain, test.want, func(c *x509.Certificate, a *authority) bool { return c.Equal(a.certificate) }) {
				t.Errorf("a chain of %d certificates", len(chain))
			}
		})
	}
	_, err := verify(bytes.Repeat([]byte("x"), maxChainBytes+1), trustbundle.New(root.certificate), now)
	if err == nil {
		t.Error("any amount of text is parsed")
	}
}
