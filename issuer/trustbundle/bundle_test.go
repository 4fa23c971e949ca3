package trustbundle_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"math/rand/v2"

	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

func TestTrustBundlesAreSets(t *testing.T) {
	roots := make([]*x509.Certificate, 6)
	for i := range roots {
		roots[i] = newRoot(t)
	}
	random := func() trustbundle.TrustBundle {
		picked := make([]*x509.Certificate, rand.IntN(2*len(roots)))
		for i := range picked {
			picked[i] = roots[rand.IntN(len(roots))]
		}
		return trustbundle.New(picked...)
	}
	var empty trustbundle.TrustBundle
	for range 100 {
		a, b, c := random(), random(), random()
		shuffled := a.Roots()
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		parsed, err := trustbundle.Parse(a.PEM())
		laws := map[string]bool{
			"order does not matter":           trustbundle.New(append(shuffled, shuffled...)...).Equal(a),
			"union with itself":               a.Union(a).Equal(a),
			"union with nothing":              a.Union(empty).Equal(a) && empty.Union(a).Equal(a),
			"union is commutative":            a.Union(b).Equal(b.Union(a)),
			"union is associative":            a.Union(b).Union(c).Equal(a.Union(b.Union(c))),
			"union holds both":                holds(a.Union(b), a) && holds(a.Union(b), b),
			"union holds no more":             len(a.Union(b).Roots()) <= len(a.Roots())+len(b.Roots()),
			"equal is the same roots":         a.Equal(b) == (holds(a, b) && holds(b, a)),
			"equal is the same PEM":           a.Equal(b) == bytes.Equal(a.PEM(), b.PEM()),
			"equal is the same digest":        a.Equal(b) == (a.Digest() == b.Digest()),
			"it contains what adds nothing":   a.Contains(roots[0]) == a.Union(trustbundle.New(roots[0])).Equal(a),
			"empty has no digest":             a.IsEmpty() == (a.Digest() == ""),
			"empty is without roots":          a.IsEmpty() == (len(a.Roots()) == 0) && a.IsEmpty() == a.Equal(empty),
			"PEM reads back":                  a.IsEmpty() == (err != nil) && (err != nil || parsed.Equal(a)),
			"the pool holds the same":         a.Pool().Equal(poolOf(a.Roots())),
			"no root is in it more than once": len(slices.Compact(a.Roots())) == len(a.Roots()),
		}
		for law, holds := range laws {
			if !holds {
				t.Fatalf("%s: not so for\n%v\n%v\n%v", law, a, b, c)
			}
		}
	}
}

func holds(all, some trustbundle.TrustBundle) bool {
	for _, root := range some.Roots() {
		if !all.Contains(root) {
			return false
		}
	}
	return true
}

func poolOf(roots []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	return pool
}

func TestATrustBundleCannotBeChanged(t *testing.T) {
	a, b := newRoot(t), newRoot(t)
	given := []*x509.Certificate{a, b}
	bundle := trustbundle.New(given...)
	want := bytes.Clone(bundle.PEM())
	given[0] = nil
	bundle.Roots()[0] = nil
	bundle.PEM()[0] = 'x'
	bundle.Pool().AddCert(newRoot(t))
	bundle.Union(trustbundle.New(newRoot(t)))
	if !bytes.Equal(bundle.PEM(), want) || len(bundle.Roots()) != 2 || slices.Contains(bundle.Roots(), nil) {
		t.Errorf("it became %v", bundle)
	}
}

func TestATrustBundleIsReadWhereItHasOneMeaning(t *testing.T) {
	root := newRoot(t)
	good := string(trustbundle.New(root).PEM())
	leaf := newLeaf(t)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key")}))
	headers := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: root.Raw}))
	block := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	tests := map[string]struct{ data, want string }{
		"one root":                       {good, ""},
		"the same root twice":            {good + good, ""},
		"blank lines around":             {"\n \t\r\n" + good + "\n\n" + good + "\n", ""},
		"lines that end as on Windows":   {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"no last newline":                {strings.TrimSpace(good), ""},
		"nothing":                        {"", "no certificate"},
		"blanks":                         {" \n", "no certificate"},
		"text around":                    {"# root\n" + good + "# again\n" + good + "x", ""},
		"text":                           {"certificate", "text without such a block"},
		"a block cut off":                {good[:len(good)-10], "malformed or cut off"},
		"a second block cut off":         {good + good[:len(good)/2], "malformed or cut off"},
		"a malformed block before":       {"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n" + good, "malformed or cut off"},
		"a block without end before":     {"-----BEGIN CERTIFICATE-----\nAAAA\n" + good, "malformed or cut off"},
		"a block in a block":             {"-----BEGIN A-----\n" + good + "-----END A-----\n", "malformed or cut off"},
		"a block of another end":         {strings.Replace(good, "END CERTIFICATE", "END CERTIFICATES", 1), "malformed or cut off"},
		"a private key":                  {key, `"PRIVATE KEY" where only CERTIFICATE belongs`},
		"a private key after":            {good + key, `"PRIVATE KEY" where only CERTIFICATE belongs`},
		"a trusted certificate":          {strings.ReplaceAll(good, "CERTIFICATE", "TRUSTED CERTIFICATE"), "only CERTIFICATE belongs"},
		"headers":                        {headers, "headers"},
		"an empty block":                 {block(nil), "certificate 1"},
		"garbage in a block":             {good + block([]byte("garbage")), "certificate 2"},
		"bytes after a certificate":      {block(append(bytes.Clone(root.Raw), 0)), "certificate 1"},
		"a certificate that is not a CA": {good + block(leaf.Raw), "is not a CA certificate"},
		"more than a mesh needs":         {strings.Repeat("\n", 256<<10) + good, "larger than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bundle, err := trustbundle.Parse([]byte(test.data))
			if test.want == "" {
				if err != nil || !bundle.Equal(trustbundle.New(root)) {
					t.Errorf("got %v, %v", bundle, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !bundle.IsEmpty() {
				t.Errorf("got %v, error %v, want %q", bundle, err, test.want)
			}
		})
	}
}

func FuzzParseTrustBundle(f *testing.F) {
	good := trustbundle.New(newRoot(f), newRoot(f)).PEM()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append([]byte("-----BEGIN CERTIFICATE-----\n"), good...))
	f.Add(bytes.Replace(good, []byte("\n"), []byte("\nProc-Type: 4\n"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		bundle, err := trustbundle.Parse(data)
		if err != nil {
			if !bundle.IsEmpty() {
				t.Errorf("refused with %v, and returned %v", err, bundle)
			}
			return
		}
		again, err := trustbundle.Parse(bundle.PEM())
		if err != nil || !again.Equal(bundle) || bundle.IsEmpty() {
			t.Errorf("%v reads back as %v, %v", bundle, again, err)
		}
		if blocks := bytes.Count(data, []byte("-----BEGIN ")); blocks < len(bundle.Roots()) || blocks != bytes.Count(data, []byte("-----END ")) {
			t.Errorf("%d blocks became %d roots", blocks, len(bundle.Roots()))
		}
		for _, root := range bundle.Roots() {
			if !root.IsCA {
				t.Errorf("%s is no CA", root.Subject)
			}
		}
	})
}

func newRoot(t testing.TB) *x509.Certificate {
	t.Helper()
	root, _, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// newLeaf returns a certificate that is not a CA's.
func newLeaf(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
