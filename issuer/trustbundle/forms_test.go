package trustbundle_test

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// file reads what OpenSSL wrote: testdata/make.sh says how.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCertificatesAsToolsWriteThem(t *testing.T) {
	plain := file(t, "plain.crt")
	for name, test := range map[string]struct{ ignored, refused string }{
		"plain.crt":         {},
		"x509-text.crt":     {ignored: "37 lines of text outside of PEM blocks"},
		"pkcs12-nokeys.crt": {ignored: "5 lines of text outside of PEM blocks"},
		"s_client.crt":      {ignored: "lines of text outside of PEM blocks"},
		"pkcs12-nodes.pem":  {refused: `"PRIVATE KEY" where only CERTIFICATE belongs: remove the key`},
		"trusted.crt":       {refused: "openssl x509 -in FILE"},
		"pkcs7.pem":         {refused: "openssl pkcs7 -print_certs"},
		"der.crt":           {refused: "openssl x509 -inform der"},
	} {
		data := file(t, name)
		got, err := trustbundle.ParseCertificates(data)
		if test.refused != "" {
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s: %v, want %q", name, err, test.refused)
			}
			continue
		}
		if err != nil || !bytes.Equal(trustbundle.Encode(got...), plain) {
			t.Errorf("%s: %v", name, err)
		}
		if ignored := trustbundle.Ignored(data); !strings.Contains(ignored, test.ignored) || test.ignored == "" && ignored != "" {
			t.Errorf("%s: ignored is %q, want %q", name, ignored, test.ignored)
		}
	}
}

func TestKeysAsToolsWriteThem(t *testing.T) {
	plain, err := trustbundle.ParseKey(file(t, "pkcs8.key"))
	if err != nil {
		t.Fatal(err)
	}
	again := append(file(t, "sec1.key"), file(t, "pkcs8.key")...)
	for name, test := range map[string]struct {
		data             []byte
		ignored, refused string
	}{
		"sec1.key":                {ignored: ""},
		"ec-parameters.key":       {ignored: "the curve beside the key (EC PARAMETERS)"},
		"ec-text.key":             {ignored: "13 lines of text"},
		"pkcs12-nocerts.key":      {ignored: "lines of text"},
		"both encodings":          {data: again, ignored: "1 repeated block"},
		"twice":                   {data: bytes.Repeat(file(t, "ec-parameters.key"), 2), ignored: "EC PARAMETERS), 2 repeated blocks"},
		"on Windows":              {data: append([]byte("\ufeff"), bytes.ReplaceAll(file(t, "ec-parameters.key"), []byte("\n"), []byte("\r\n"))...), ignored: "a byte order mark, the curve"},
		"ec-parameters-other.key": {refused: "EC PARAMETERS are not those of the key"},
		"two keys":                {data: append(file(t, "pkcs1.key"), again...), refused: "two private keys"},
		"encrypted-pkcs8.key":     {refused: "decrypt it with openssl pkey"},
		"encrypted-sec1.key":      {refused: "decrypt it with openssl pkey"},
		"pkcs12-nodes.pem":        {refused: "leave the key alone there, with openssl pkey"},
		"plain.crt":               {refused: `"CERTIFICATE" where only PRIVATE KEY belongs`},
		"public.key":              {refused: "put the private key there"},
	} {
		if test.data == nil {
			test.data = file(t, name)
		}
		got, err := trustbundle.ParseKey(test.data)
		if test.refused != "" {
			if err == nil || got != nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s: %v, want %q", name, err, test.refused)
			}
		} else if err != nil || !plain.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got.Public()) {
			t.Errorf("%s: %v", name, err)
		}
		said := trustbundle.Ignored(test.data)
		if test.refused == "" && (!strings.Contains(said, test.ignored) || test.ignored == "" && said != "") {
			t.Errorf("%s: ignored is %q, want %q", name, said, test.ignored)
		}
		if err != nil {
			said += err.Error()
		}
		for _, run := range regexp.MustCompile(`[A-Za-z0-9+/=:]{20,}`).FindAllString(said, -1) {
			if bytes.Contains(test.data, []byte(run)) {
				t.Errorf("%s: %q repeats what is in it", name, run)
			}
		}
	}
	if _, err := trustbundle.ParseKey(file(t, "pkcs1.key")); err != nil {
		t.Error(err)
	}
}
