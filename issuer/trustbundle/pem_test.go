package trustbundle_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// newPair returns a certificate and its key.
func newPair(t testing.TB) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", pkcs8)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func withHeader(block []byte) string {
	return strings.Replace(string(block), "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1)
}

func TestWhatIsNotCertificatesAloneIsRefused(t *testing.T) {
	certificate, key := newPair(t)
	good := string(certificate)
	tests := map[string]struct{ data, want string }{
		"a certificate":                    {good, ""},
		"two, with blank lines":            {"\n" + good + " \r\n\n" + good + "\n", ""},
		"lines that end as on Windows":     {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"nothing":                          {" \n", "no certificate"},
		"a truncated block and a good one": {good[:len(good)/2] + "\n" + good, "malformed or cut off"},
		"a block without end before":       {"-----BEGIN CERTIFICATE-----\nAAAA\n" + good, "malformed or cut off"},
		"a good one and a truncated block": {good + good[:len(good)-9], "malformed or cut off"},
		"headers":                          {withHeader(certificate), "headers"},
		"a byte order mark":                {"\ufeff" + good, "text outside"},
		"a NUL after it":                   {good + "\x00", "text outside"},
		"text after it":                    {good + "and more", "text outside"},
		"text after the end's dashes":      {strings.TrimSpace(good) + "x\n" + good, "malformed or cut off"},
		"a private key among them":         {good + string(key) + good, `"PRIVATE KEY"`},
		"what OpenSSL alone knows":         {strings.ReplaceAll(good, "CERTIFICATE", "X509 CERTIFICATE"), `"X509 CERTIFICATE"`},
		"two certificates in one block":    {string(encode("CERTIFICATE", bytes.Repeat(der(certificate), 2))), "trailing data"},
		"more than is read":                {strings.Repeat("\n", trustbundle.MaxBytes) + good, "larger than"},
		"many beginnings":                  {strings.Repeat("-----BEGIN A-----\n", 10_000), "malformed or cut off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := trustbundle.ParseCertificates([]byte(test.data))
			switch {
			case test.want == "":
				if err != nil || len(got) == 0 {
					t.Errorf("got %d, error %v", len(got), err)
				}
			case err == nil || got != nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %d, error %v, want %q", len(got), err, test.want)
			}
		})
	}
}

func der(block []byte) []byte {
	decoded, _ := pem.Decode(block)
	return decoded.Bytes
}

// crypto/tls skips what it does not know, so that one reader of a Secret could
// serve what another refuses.
func TestAKeyPairIsReadAsStrictly(t *testing.T) {
	certificate, key := newPair(t)
	_, another := newPair(t)
	if pair, err := trustbundle.ParseKeyPair(certificate, key); err != nil || pair.Leaf == nil {
		t.Fatalf("a pair: %v", err)
	}
	truncated := append(bytes.Clone(certificate[:len(certificate)/2]), '\n')
	for name, test := range map[string]struct{ certificate, key []byte }{
		"a truncated block before the certificate": {append(truncated, certificate...), key},
		"text before the certificate":              {append([]byte("# leaf\n"), certificate...), key},
		"the key among the certificates":           {append(bytes.Clone(certificate), key...), key},
		"two keys":                                 {certificate, append(bytes.Clone(key), another...)},
		"a key with headers":                       {certificate, []byte(withHeader(key))},
		"another key":                              {certificate, another},
		"no key":                                   {certificate, nil},
	} {
		if _, err := trustbundle.ParseKeyPair(test.certificate, test.key); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), string(key[40:60])) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	if _, err := tls.X509KeyPair(append(truncated, certificate...), key); err != nil {
		t.Errorf("crypto/tls has become strict: %v", err)
	}
}

// FuzzParseCertificates holds that what is accepted is certificates and nothing
// else to every other reader, and reads back from its own encoding.
func FuzzParseCertificates(f *testing.F) {
	certificate, key := newPair(f)
	for _, seed := range [][]byte{
		certificate, append(bytes.Clone(certificate[:100]), certificate...), []byte(withHeader(certificate)),
		append(bytes.Clone(certificate), key...), bytes.ReplaceAll(certificate, []byte("\n"), []byte("\r\n")),
		append([]byte("\ufeff"), certificate...), append(bytes.Clone(certificate), "garbage"...), []byte("-----BEGIN CERTIFICATE-----"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := trustbundle.ParseCertificates(data)
		if err != nil {
			if got != nil {
				t.Errorf("refused, and returned %d", len(got))
			}
			return
		}
		var again []byte
		for _, one := range got {
			again = append(again, encode("CERTIFICATE", one.Raw)...)
		}
		if lax := skipping(data); !bytes.Equal(lax, again) {
			t.Errorf("another reader finds\n%s\nin what is read as\n%s", lax, again)
		}
		if n := bytes.Count(data, []byte("-----BEGIN")); n != len(got) || n != bytes.Count(data, []byte("-----END")) {
			t.Errorf("%d blocks became %d certificates", n, len(got))
		}
		if back, err := trustbundle.ParseCertificates(again); err != nil || len(back) != len(got) {
			t.Errorf("%d read back as %d, %v", len(got), len(back), err)
		}
	})
}

// skipping reads as x509.CertPool and crypto/tls do.
func skipping(data []byte) (all []byte) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" && len(block.Headers) == 0 {
			all = append(all, encode(block.Type, block.Bytes)...)
		}
	}
	return all
}

// FuzzParseKey holds that a key that is read is one block, and works.
func FuzzParseKey(f *testing.F) {
	certificate, key := newPair(f)
	f.Add(key)
	f.Add(append(bytes.Clone(key), certificate...))
	f.Add(append(bytes.Clone(key[:50]), key...))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := trustbundle.ParseKey(data)
		if err != nil {
			return
		}
		if bytes.Count(data, []byte("-----BEGIN")) != 1 || bytes.Count(data, []byte("-----END")) != 1 {
			t.Errorf("one key of\n%s", data)
		}
		if _, ok := got.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok {
			t.Errorf("a key of type %T", got)
		}
	})
}
