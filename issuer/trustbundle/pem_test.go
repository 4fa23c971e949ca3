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
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

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

func TestWhatHasOneMeaningIsReadAndTheRestIsRefused(t *testing.T) {
	certificate, key := newPair(t)
	good := string(certificate)
	body := strings.Split(good, "\n")[1]
	tests := map[string]struct{ data, want string }{
		"a certificate":                    {good, ""},
		"two, with blank lines":            {"\n" + good + " \r\n\n" + good + "\n", ""},
		"lines that end as on Windows":     {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"a byte order mark":                {"\ufeff" + good, ""},
		"two files with one, joined":       {"\ufeff" + good + "\ufeff" + good, ""},
		"text before and after it":         {"# root, of 2026-01-05\n" + good + "and more", ""},
		"rules around a heading":           {"# -----------\n--- begin of the list ---\n======\n" + good, ""},
		"a fingerprint":                    {strings.Repeat("0a", 32) + "\n" + good, ""},
		"nothing":                          {" \n", "no certificate"},
		"a text":                           {"see the wiki", "text without such a block"},
		"a truncated block and a good one": {good[:len(good)/2] + "\n" + good, "malformed or cut off"},
		"a good one and a truncated block": {good + good[:len(good)-9], "malformed or cut off"},
		"a block without end before":       {"-----BEGIN CERTIFICATE-----\nAAAA\n" + good, "malformed or cut off"},
		"a block without beginning before": {good[28:] + good, "line 1"},
		"a block without its ends":         {good + body + "\n", "looks like what belongs into one"},
		"an end alone":                     {good + "-----END CERTIFICATE-----\n", "its beginning is missing"},
		"text after the end's dashes":      {strings.TrimSpace(good) + "x\n" + good, "malformed or cut off"},
		"text before the dashes":           {"root: " + good, "broken PEM marker"},
		"four dashes":                      {good + strings.ReplaceAll(good, "-----", "----"), "broken PEM marker"},
		"dashes that a word processor set": {good + strings.ReplaceAll(good, "-----", "—–"), "broken PEM marker"},
		"a marker that was cut off":        {"N CERTIFICATE-----\n" + good, "broken PEM marker"},
		"a marker in lower case":           {strings.ToLower("-----BEGIN CERTIFICATE-----\n") + good, "broken PEM marker"},
		"an indented block":                {strings.ReplaceAll(good, "-----B", "  -----B"), "it is indented"},
		"indented but for its first line":  {strings.TrimSpace(strings.ReplaceAll(good, "\n", "\n    ")), "its end is indented: take the blanks before it away"},
		"indented by a tab":                {"\t" + strings.ReplaceAll(good, "\n", "\n\t"), "it is indented"},
		"line ends as in JSON":             {strings.ReplaceAll(good, "\n", `\n`), `written as \n`},
		"a list that Vault's CLI prints":   {"[" + strings.TrimSpace(good) + " " + strings.TrimSpace(good) + "]", "vault read -field=ca_chain"},
		"PEM in base64":                    {base64.StdEncoding.EncodeToString(certificate), "encoded once too often"},
		"UTF-16":                           {utf16Of("\ufeff" + good), "UTF-16"},
		"UTF-16 without a mark":            {utf16Of(good), "UTF-16"},
		"UTF-16 that begins with text":     {utf16Of("Bag Attributes\n" + good), "UTF-16"},
		"DER of less than 128 bytes":       {"\x30\x03\x02\x01\x00", "it is DER"},
		"DER":                              {string(der(certificate)), "it is DER"},
		"headers":                          {withHeader(certificate), "headers"},
		"a NUL after it":                   {good + "\x00", "NUL"},
		"a private key among them":         {good + string(key) + good, `"PRIVATE KEY"`},
		"what OpenSSL alone knows":         {strings.ReplaceAll(good, "CERTIFICATE", "X509 CERTIFICATE"), `"X509 CERTIFICATE"`},
		"a request":                        {strings.ReplaceAll(good, "CERTIFICATE", "CERTIFICATE REQUEST"), "have a CA sign"},
		"what is no base64":                {"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n" + good, "not base64"},
		"two certificates in one block":    {string(encode("CERTIFICATE", bytes.Repeat(der(certificate), 2))), "trailing data"},
		"more than is read":                {strings.Repeat("\n", trustbundle.MaxBytes) + good, "larger than"},
		"many beginnings":                  {strings.Repeat("-----BEGIN A-----\n", 10_000), "malformed or cut off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := trustbundle.ParseCertificates([]byte(test.data))
			switch {
			case test.want == "":
				if err != nil || len(got) != 1 {
					t.Errorf("got %d, error %v", len(got), err)
				}
			case err == nil || got != nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %d, error %v, want %q", len(got), err, test.want)
			}
		})
	}
}

func utf16Of(text string) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		data = binary.LittleEndian.AppendUint16(data, unit)
	}
	return string(data)
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
	if pair, err := trustbundle.ParseKeyPair(append([]byte("# leaf\n"), certificate...), append([]byte("# key\n"), key...)); err != nil || len(pair.Certificate) != 1 {
		t.Errorf("with text around: %v", err)
	}
	truncated := append(bytes.Clone(certificate[:len(certificate)/2]), '\n')
	for name, test := range map[string]struct{ certificate, key []byte }{
		"a truncated block before the certificate": {append(truncated, certificate...), key},
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

// FuzzParseCertificates holds that what is accepted is the same certificates to
// every other reader, each once, and reads back from its own encoding.
func FuzzParseCertificates(f *testing.F) {
	certificate, key := newPair(f)
	for _, seed := range [][]byte{
		certificate, append(bytes.Clone(certificate[:100]), certificate...), []byte(withHeader(certificate)),
		append(bytes.Clone(certificate), key...), bytes.ReplaceAll(certificate, []byte("\n"), []byte("\r\n")), bytes.Repeat(certificate, 2),
		append([]byte("\ufeff"), certificate...), append(bytes.Clone(certificate), "garbage"...), []byte("-----BEGIN CERTIFICATE-----"),
		append([]byte("# root\n  -----BEGIN X-----\n"), certificate...), append([]byte("N CERTIFICATE-----\nAAAA\n"), certificate...),
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
		again, lax := trustbundle.Encode(got...), skipping(data)
		if !bytes.Equal(encodeAll(lax), again) {
			t.Errorf("another reader finds\n%s\nin what is read as\n%s", encodeAll(lax), again)
		}
		if begins, ends := bytes.Count(data, []byte("-----BEGIN")), bytes.Count(data, []byte("-----END")); begins < len(got) || begins != ends {
			t.Errorf("%d blocks became %d certificates", begins, len(got))
		}
		if back, err := trustbundle.ParseCertificates(again); err != nil || len(back) != len(got) || trustbundle.Ignored(again) != "" {
			t.Errorf("%d read back as %d, %v", len(got), len(back), err)
		}
	})
}

// skipping reads as x509.CertPool and crypto/tls do, which do not see a block
// after a byte order mark. It returns each certificate once.
func skipping(data []byte) (all [][]byte) {
	data = bytes.TrimPrefix(bytes.ReplaceAll(data, []byte("\n\ufeff"), []byte("\n")), []byte("\ufeff"))
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		known := func(der []byte) bool { return bytes.Equal(der, block.Bytes) }
		if block.Type == "CERTIFICATE" && len(block.Headers) == 0 && !slices.ContainsFunc(all, known) {
			all = append(all, block.Bytes)
		}
	}
	return all
}

func encodeAll(ders [][]byte) (all []byte) {
	for _, der := range ders {
		all = append(all, encode("CERTIFICATE", der)...)
	}
	return all
}

// FuzzParseKey holds that a key that is read is the only one, and works.
func FuzzParseKey(f *testing.F) {
	certificate, key := newPair(f)
	_, another := newPair(f)
	f.Add(key)
	f.Add(append(bytes.Clone(key), certificate...))
	f.Add(append(bytes.Clone(key[:50]), key...))
	f.Add(append(bytes.Clone(key), another...))
	f.Add(slices.Concat([]byte("Bag Attributes\n"), key, key))
	for _, name := range []string{"ec-parameters.key", "ec-parameters-other.key", "ec-text.key", "pkcs1.key"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := trustbundle.ParseKey(data)
		if err != nil {
			return
		}
		public, ok := got.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok {
			t.Fatalf("a key of type %T", got)
		}
		data = bytes.TrimPrefix(bytes.ReplaceAll(data, []byte("\n\ufeff"), []byte("\n")), []byte("\ufeff"))
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "EC PARAMETERS" {
				continue
			}
			if one, err := trustbundle.ParseKey(encode(block.Type, block.Bytes)); err != nil || !public.Equal(one.Public()) {
				t.Errorf("another reader finds another key in\n%s", data)
			}
		}
	})
}
