package bugreport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWhatLooksLikeASecretIsCutOut(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	modern := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	older := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))
	rsa := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: sec1}))
	inJSON, err := json.Marshal(modern)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ secret, part string }{
		"a key":                        {modern, strings.Split(modern, "\n")[1]},
		"a key of an older form":       {older, strings.Split(older, "\n")[1]},
		"a key in JSON":                {string(inJSON), strings.Split(modern, "\n")[1]},
		"a key in base64":              {base64.StdEncoding.EncodeToString([]byte(modern)), base64.StdEncoding.EncodeToString([]byte(modern))[60:100]},
		"an older key in base64":       {base64.StdEncoding.EncodeToString([]byte(older)), base64.StdEncoding.EncodeToString([]byte(older))[60:100]},
		"an RSA key in base64":         {base64.StdEncoding.EncodeToString([]byte(rsa)), base64.StdEncoding.EncodeToString([]byte(rsa))[60:100]},
		"a token of a service account": {"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib29rcyJ9.c2lnbmF0dXJlLW9m", "c2lnbmF0"},
		"a token of Vault":             {"hvs.CAESIJ1234567890abcdef", "CAESIJ"},
		"a token of an older Vault":    {"s.abcdefghijklmnopqrstuvwx", "abcdefghij"},
		"what authorises a request":    {"Authorization: Bearer abcdefghijkl", "abcdefghijkl"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(redact([]byte("before " + test.secret + " after")))
			if strings.Contains(got, test.part) || !strings.HasPrefix(got, "before ") || !strings.Contains(got, removed) {
				t.Errorf("got %q", got)
			}
		})
	}
	kept := `"caBundle": "` + base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----\nMIIB")) + `", version: v1.2.3-rc.4`
	if got := string(redact([]byte(kept))); got != kept {
		t.Errorf("%q became %q", kept, got)
	}
}

func TestTheEndOfALogIsKept(t *testing.T) {
	text := strings.Repeat("0123456789", 100)
	for _, most := range []int{1, 7, 64, 999, 1000, 5000} {
		got, err := tail(iotest.OneByteReader(strings.NewReader(text)), most)
		if want := text[max(0, len(text)-most):]; err != nil || string(got) != want {
			t.Errorf("of %d bytes, %d were kept, error %v", most, len(got), err)
		}
	}
}
