package scripts

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"golang.org/x/crypto/cryptobyte"
	asn1tag "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	subjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	basicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	keyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
)

// maker makes certificates, of one key.
type maker struct {
	tb  testing.TB
	key *ecdsa.PrivateKey
}

func newMaker(tb testing.TB) maker {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return maker{tb, key}
}

// with returns a workload's certificate that was changed.
func (m maker) with(change func(*x509.Certificate)) []byte {
	m.tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "b.a.cluster.local"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, DNSNames: []string{"b.a.cluster.local"},
		URIs: []*url.URL{{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/a/sa/b"}},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, m.key.Public(), m.key)
	if err != nil {
		m.tb.Fatal(err)
	}
	return der
}

// grafted returns a certificate with these extensions alone, nil if Go makes or
// reads none.
func (m maker) grafted(extensions []pkix.Extension) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtraExtensions: extensions}
	der, err := x509.CreateCertificate(rand.Reader, template, template, m.key.Public(), m.key)
	if err != nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return certificate
}

// goIdentity is what go-spiffe finds in a certificate that may not sign others,
// empty if nothing.
func goIdentity(certificate *x509.Certificate) string {
	if certificate == nil || certificate.IsCA || certificate.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return ""
	}
	id, err := x509svid.IDFromCert(certificate)
	if err != nil {
		return ""
	}
	return id.String()
}

// deciding returns those extensions of a certificate that decide who it is of,
// found by a reader of its own: not ok if the certificate has another form.
func deciding(der []byte) (found []pkix.Extension, ok bool) {
	input := cryptobyte.String(der)
	var certificate, tbs, extensions cryptobyte.String
	if !input.ReadASN1(&certificate, asn1tag.SEQUENCE) || !input.Empty() || !certificate.ReadASN1(&tbs, asn1tag.SEQUENCE) {
		return nil, false
	}
	version := 0
	if !tbs.ReadOptionalASN1Integer(&version, asn1tag.Tag(0).ContextSpecific().Constructed(), 0) || !tbs.ReadASN1Integer(new(big.Int)) {
		return nil, false
	}
	for range 5 { // algorithm, issuer, validity, subject and key
		if !tbs.SkipASN1(asn1tag.SEQUENCE) {
			return nil, false
		}
	}
	present := false
	if !tbs.SkipOptionalASN1(asn1tag.Tag(1).ContextSpecific()) || !tbs.SkipOptionalASN1(asn1tag.Tag(2).ContextSpecific()) ||
		!tbs.ReadOptionalASN1(&extensions, &present, asn1tag.Tag(3).ContextSpecific().Constructed()) {
		return nil, false
	}
	if !present || version != 2 {
		return nil, true
	}
	if !extensions.ReadASN1(&extensions, asn1tag.SEQUENCE) {
		return nil, false
	}
	for !extensions.Empty() {
		var extension, value cryptobyte.String
		e := pkix.Extension{}
		if !extensions.ReadASN1(&extension, asn1tag.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&e.Id) ||
			extension.PeekASN1Tag(asn1tag.BOOLEAN) && !extension.ReadASN1Boolean(&e.Critical) || !extension.ReadASN1(&value, asn1tag.OCTET_STRING) {
			return nil, false
		}
		e.Value = value
		if e.Id.Equal(subjectAltName) || e.Id.Equal(basicConstraints) || e.Id.Equal(keyUsage) {
			found = append(found, e)
		}
	}
	return found, true
}

// scriptIdentity is what x509.js finds, empty if nothing.
func (f functions) scriptIdentity(t testing.TB, der []byte) string {
	t.Helper()
	read, ok := goja.AssertFunction(f.vm.Get("identityOf"))
	if !ok {
		t.Fatal("no function identityOf")
	}
	found, err := read(goja.Undefined(), f.vm.ToValue("-----BEGIN CERTIFICATE-----\n"+base64.StdEncoding.EncodeToString(der)+"\n-----END CERTIFICATE-----\n"))
	if err != nil {
		t.Fatal(err)
	}
	if goja.IsNull(found) {
		return ""
	}
	return found.String()
}

func loadIdentityOf(t testing.TB) functions {
	t.Helper()
	f := load(t)
	if _, err := f.vm.RunString(`function identityOf(pem) { return scripts.x509.spiffeID({ toPEM: function () { return pem } }) }`); err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzIdentity holds x509.js to crypto/x509 and go-spiffe.
//
// It never finds an identity where they refuse what decides about it, the
// certificate's form and the extensions subjectAltName, basicConstraints and
// keyUsage, nor finds another. Go also refuses certificates for what decides
// nothing, as a date or a policy: that is for the TLS library, which verified the
// certificate before. And whatever identity Go finds the script finds, as long
// as it is written as SPIFFE-ID, section 2, has it.
func FuzzIdentity(f *testing.F) {
	m := newMaker(f)
	for _, seed := range identitySeeds(m) {
		f.Add(seed)
	}
	scripts := loadIdentityOf(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		checkIdentity(t, scripts, m, der)
	})
}

func checkIdentity(t testing.TB, scripts functions, m maker, der []byte) {
	t.Helper()
	got := scripts.scriptIdentity(t, der)
	if got != "" {
		extensions, ok := deciding(der)
		if want := goIdentity(m.grafted(extensions)); !ok || got != want {
			t.Errorf("the script finds %q, and Go %q (form read %v) in\n%x", got, want, ok, der)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return
	}
	if want := goIdentity(certificate); got != want && !normalised(certificate, want) {
		t.Errorf("Go finds %q, and the script %q in\n%x", want, got, der)
	}
}

// normalised reports whether Go has put the identity into another form than the
// certificate has, as from upper case or an empty fragment, or if it is longer
// than SPIFFE-ID has it. The script has to refuse those.
func normalised(certificate *x509.Certificate, id string) bool {
	for _, e := range certificate.Extensions {
		names, list := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !e.Id.Equal(subjectAltName) || !names.ReadASN1(&list, asn1tag.SEQUENCE) {
			continue
		}
		for !list.Empty() {
			var name cryptobyte.String
			var tag asn1tag.Tag
			if list.ReadAnyASN1(&name, &tag) && tag == asn1tag.Tag(6).ContextSpecific() {
				return string(name) != id || len(id) > 2048
			}
		}
	}
	return true
}

// mutation changes bytes that a certificate has, to others of that length.
func mutation(der []byte, from, to string) []byte {
	return bytes.Replace(der, []byte(from), []byte(to), 1)
}

func identitySeeds(m maker) map[string][]byte {
	plain := m.with(func(*x509.Certificate) {})
	san := func(names ...asn1.RawValue) func(*x509.Certificate) {
		value, err := asn1.Marshal(names)
		if err != nil {
			m.tb.Fatal(err)
		}
		return func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: subjectAltName, Value: value}}
		}
	}
	uri := func(text string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(text)}
	}
	inner, err := asn1.Marshal([]asn1.RawValue{uri("spiffe://cluster.local/ns/a/sa/root")})
	if err != nil {
		m.tb.Fatal(err)
	}
	return map[string][]byte{
		"a workload's":     plain,
		"a CA's":           m.with(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }),
		"two URIs":         m.with(san(uri("spiffe://cluster.local/ns/a/sa/b"), uri("spiffe://cluster.local/ns/a/sa/c"))),
		"an embedded NUL":  m.with(san(uri("spiffe://cluster.local/ns/a/sa/b\x00"))),
		"upper case":       m.with(san(uri("SPIFFE://cluster.local/ns/a/sa/b"))),
		"an empty label":   m.with(san(uri("spiffe://cluster..local/ns/a/sa/b"))),
		"an empty end":     m.with(san(uri("spiffe://cluster.local./ns/a/sa/b"))),
		"a port":           m.with(san(uri("spiffe://cluster.local:80/ns/a/sa/b"))),
		"an empty port":    m.with(san(uri("spiffe://cluster.local:/ns/a/sa/b"))),
		"a fragment":       m.with(san(uri("spiffe://cluster.local/ns/a/sa/b#"))),
		"percent":          m.with(san(uri("spiffe://cluster.local/ns/a/sa/%62"))),
		"UTF-8":            mutation(plain, "/sa/b", "/s\xc3\xa4b"),
		"no UTF-8":         mutation(plain, "/sa/b", "/sa/\xff"),
		"nested":           m.with(san(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, IsCompound: true, Bytes: inner}, uri("spiffe://cluster.local/ns/a/sa/b"))),
		"another name too": m.with(san(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}, uri("spiffe://cluster.local/ns/a/sa/b"))),
		"a bad IP address": m.with(san(uri("spiffe://cluster.local/ns/a/sa/b"), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: []byte{1}})),
		"in the name": m.with(func(c *x509.Certificate) {
			c.URIs, c.Subject.CommonName = nil, "\x06\x03U\x1d\x11\x04\x20spiffe://cluster.local/ns/a/sa/b"
		}),
		"in another extension": m.with(func(c *x509.Certificate) {
			c.URIs = nil
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: inner}}
		}),
		"critical":                   m.with(func(c *x509.Certificate) { c.Subject = pkix.Name{} }),
		"names twice":                mutation(plain, "\x06\x03\x55\x1d\x0f", "\x06\x03\x55\x1d\x11"),
		"constraints for usage":      mutation(plain, "\x06\x03\x55\x1d\x0f", "\x06\x03\x55\x1d\x13"),
		"names that go on":           mutation(plain, "\x86\x20spiffe", "\x86\x21spiffe"),
		"an identifier of two forms": mutation(plain, "\x06\x03\x55\x1d\x11", "\x06\x03\x55\x1d\x91"),
		"an indefinite length":       mutation(plain, "\x30\x82", "\x30\x80"),
		"a boolean that is none":     mutation(plain, "\x01\x01\xff", "\x01\x01\x01"),
		"version 2":                  mutation(plain, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01"),
		"version 4":                  mutation(plain, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x03"),
		"a negative serial number":   mutation(plain, "\xa0\x03\x02\x01\x02\x02\x01\x01", "\xa0\x03\x02\x01\x02\x02\x01\x81"),
		"bytes after it":             append(bytes.Clone(plain), 0),
		"truncated":                  plain[:len(plain)-1],
		"nothing":                    {},
	}
}

// TestAByteDecidesAlike changes every byte of a certificate in some ways that
// mean something in DER.
func TestAByteDecidesAlike(t *testing.T) {
	m, scripts := newMaker(t), loadIdentityOf(t)
	for name, seed := range identitySeeds(m) {
		t.Run(name, func(t *testing.T) { checkIdentity(t, scripts, m, seed) })
	}
	plain := m.with(func(*x509.Certificate) {})
	for i := range plain {
		for _, changed := range []byte{plain[i] ^ 1, plain[i] + 1, plain[i] ^ 0x20, plain[i] ^ 0x80, 0, 0x30, 0x80, 0x86, 0xff} {
			der := bytes.Clone(plain)
			der[i] = changed
			checkIdentity(t, scripts, m, der)
		}
	}
}
