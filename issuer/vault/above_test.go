package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// authority is a CA of a test, with its key.
type authority struct {
	*x509.Certificate
	key crypto.Signer
}

// newAuthority makes one that the parent signs, or that is a root without one.
// With the key of another, it is a certificate of that.
func newAuthority(t *testing.T, name string, parent *authority, key crypto.Signer) *authority {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issuedBy, signedWith := template, key
	if parent != nil {
		issuedBy, signedWith = parent.Certificate, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuedBy, key.Public(), signedWith)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func TestOnlyRootsThatAnIssuerChainsToAreFound(t *testing.T) {
	root, evil := newAuthority(t, "osm.root", nil, nil), newAuthority(t, "evil", nil, nil)
	namesake := newAuthority(t, "osm.root", nil, nil)
	between := newAuthority(t, "osm.between", root, nil)
	lower := newAuthority(t, "osm.lower", between, nil)
	// Anyone can certify the name and the key of another's CA.
	crossRoot := newAuthority(t, "osm.root", evil, root.key)
	crossBetween := newAuthority(t, "osm.between", evil, between.key)
	for name, test := range map[string]struct {
		issuer *authority
		among  []*authority
		want   *authority // nil: none
		err    error
	}{
		"a root is its own":                      {root, nil, root, nil},
		"a root, whatever else lies there":       {root, []*authority{evil, crossRoot, namesake}, root, nil},
		"an intermediate of a root":              {between, []*authority{root, evil}, root, nil},
		"an intermediate of two levels":          {lower, []*authority{evil, root, between}, root, nil},
		"an intermediate whose root is not told": {between, []*authority{evil, namesake}, nil, nil},
		"a root that was certified by another":   {between, []*authority{crossRoot, evil, root}, root, nil},
		"an intermediate that was certified too": {lower, []*authority{between, crossBetween, root, evil}, nil, errAmbiguous},
		"a chain that is lacking, and another":   {lower, []*authority{between, crossBetween, evil}, nil, errAmbiguous},
	} {
		t.Run(name, func(t *testing.T) {
			var among []*x509.Certificate
			for _, one := range test.among {
				among = append(among, one.Certificate)
			}
			got, err := rootsAbove(test.issuer.Certificate, among, time.Now())
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if len(got) > 1 || (len(got) == 1) != (test.want != nil) || test.want != nil && !got[0].Equal(test.want.Certificate) {
				t.Errorf("got %d roots, want %v", len(got), test.want)
			}
		})
	}
}

func TestARootThatNoMeshCanHaveIsNamedWithItsFault(t *testing.T) {
	root := newAuthority(t, "osm.root", nil, nil)
	for when, want := range map[time.Duration]string{2 * time.Hour: "expired at", -time.Hour: "not valid before"} {
		got, err := rootsAbove(root.Certificate, nil, time.Now().Add(when))
		if len(got) > 0 || err == nil || !strings.Contains(err.Error(), `root "CN=osm.root", which the mesh cannot use: the certificate `) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d roots, error %v, want %q", len(got), err, want)
		}
	}
	later := newAuthority(t, "osm.root", nil, root.key)
	between := newAuthority(t, "osm.between", root, nil)
	later.NotAfter = time.Now().Add(100 * time.Hour)
	got, err := rootsAbove(between.Certificate, []*x509.Certificate{root.Certificate, later.Certificate}, time.Now().Add(2*time.Hour))
	if err != nil || len(got) != 1 || !got[0].Equal(later.Certificate) {
		t.Errorf("beside one that is over: %d roots, error %v", len(got), err)
	}
}

func TestChainsInACircleEnd(t *testing.T) {
	one := newAuthority(t, "one", nil, nil)
	two := newAuthority(t, "two", one, nil)
	back := newAuthority(t, "one", two, one.key)
	forth := newAuthority(t, "two", back, two.key)
	if _, err := rootsAbove(back.Certificate, []*x509.Certificate{back.Certificate, forth.Certificate}, time.Now()); err == nil {
		t.Error("a circle has an end")
	}
}
