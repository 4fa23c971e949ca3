package issuer_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestTrustBundlesAreSets(t *testing.T) {
	roots := make([]*x509.Certificate, 6)
	for i := range roots {
		roots[i] = testkit.CA(t).Root()
	}
	random := func() issuer.TrustBundle {
		picked := make([]*x509.Certificate, rand.IntN(2*len(roots)))
		for i := range picked {
			picked[i] = roots[rand.IntN(len(roots))]
		}
		return issuer.NewTrustBundle(picked...)
	}
	var empty issuer.TrustBundle
	for range 100 {
		a, b, c := random(), random(), random()
		shuffled := a.Roots()
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		parsed, err := issuer.ParseTrustBundle(a.PEM())
		laws := map[string]bool{
			"order does not matter":           issuer.NewTrustBundle(append(shuffled, shuffled...)...).Equal(a),
			"union with itself":               a.Union(a).Equal(a),
			"union with nothing":              a.Union(empty).Equal(a) && empty.Union(a).Equal(a),
			"union is commutative":            a.Union(b).Equal(b.Union(a)),
			"union is associative":            a.Union(b).Union(c).Equal(a.Union(b.Union(c))),
			"union holds both":                holds(a.Union(b), a) && holds(a.Union(b), b),
			"union holds no more":             len(a.Union(b).Roots()) <= len(a.Roots())+len(b.Roots()),
			"equal is the same roots":         a.Equal(b) == (holds(a, b) && holds(b, a)),
			"equal is the same PEM":           a.Equal(b) == bytes.Equal(a.PEM(), b.PEM()),
			"equal is the same digest":        a.Equal(b) == (a.Digest() == b.Digest()),
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

func holds(all, some issuer.TrustBundle) bool {
	for _, root := range some.Roots() {
		if !slices.ContainsFunc(all.Roots(), root.Equal) {
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
	a, b := testkit.CA(t).Root(), testkit.CA(t).Root()
	given := []*x509.Certificate{a, b}
	bundle := issuer.NewTrustBundle(given...)
	want := bytes.Clone(bundle.PEM())
	given[0] = nil
	bundle.Roots()[0] = nil
	bundle.PEM()[0] = 'x'
	bundle.Pool().AddCert(testkit.CA(t).Root())
	bundle.Union(issuer.NewTrustBundle(testkit.CA(t).Root()))
	if !bytes.Equal(bundle.PEM(), want) || len(bundle.Roots()) != 2 || slices.Contains(bundle.Roots(), nil) {
		t.Errorf("it became %v", bundle)
	}
}

func TestATrustBundleIsReadWhereItHasOneMeaning(t *testing.T) {
	root := testkit.CA(t).Root()
	good := string(issuer.NewTrustBundle(root).PEM())
	leaf := leafOf(t, testkit.CA(t))
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
			bundle, err := issuer.ParseTrustBundle([]byte(test.data))
			if test.want == "" {
				if err != nil || !bundle.Equal(issuer.NewTrustBundle(root)) {
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
	good := issuer.NewTrustBundle(testkit.CA(f).Root(), testkit.CA(f).Root()).PEM()
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append([]byte("-----BEGIN CERTIFICATE-----\n"), good...))
	f.Add(bytes.Replace(good, []byte("\n"), []byte("\nProc-Type: 4\n"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		bundle, err := issuer.ParseTrustBundle(data)
		if err != nil {
			if !bundle.IsEmpty() {
				t.Errorf("refused with %v, and returned %v", err, bundle)
			}
			return
		}
		again, err := issuer.ParseTrustBundle(bundle.PEM())
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

func leafOf(t testing.TB, ca issuer.Issuer) *x509.Certificate {
	t.Helper()
	req, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, identityOf(t, "bookstore-v1"))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), req, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return chain[0]
}
