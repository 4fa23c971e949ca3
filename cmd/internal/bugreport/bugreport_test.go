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
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,2FD8C5A2A0C9B7E7D4B2E44A8C0A7F11\n\n" +
		strings.Join(strings.Split(rsa, "\n")[1:], "\n")
	encode := base64.StdEncoding.EncodeToString
	wrapped := strings.Join(strings.SplitAfter(wrap(encode([]byte(modern)), 76), "\n"), "        ")
	inJSON, err := json.Marshal(modern)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ secret, part string }{
		"a key":                          {modern, strings.Split(modern, "\n")[1]},
		"a key of an older form":         {older, strings.Split(older, "\n")[1]},
		"a key in JSON":                  {string(inJSON), strings.Split(modern, "\n")[1]},
		"a key in base64":                {base64.StdEncoding.EncodeToString([]byte(modern)), base64.StdEncoding.EncodeToString([]byte(modern))[60:100]},
		"an older key in base64":         {base64.StdEncoding.EncodeToString([]byte(older)), base64.StdEncoding.EncodeToString([]byte(older))[60:100]},
		"an RSA key in base64":           {base64.StdEncoding.EncodeToString([]byte(rsa)), base64.StdEncoding.EncodeToString([]byte(rsa))[60:100]},
		"an encrypted key":               {encrypted, strings.Split(encrypted, "\n")[4]},
		"an encrypted key in JSON":       {quoted(t, encrypted), strings.Split(encrypted, "\n")[4]},
		"an encrypted key in base64":     {encode([]byte(encrypted)), encode([]byte(encrypted))[60:100]},
		"a key with other line ends":     {strings.ReplaceAll(encrypted, "\n", "\r\n"), strings.Split(encrypted, "\n")[4]},
		"a key that is cut off":          {modern[:120], modern[60:100]},
		"an encrypted one, cut off":      {encrypted[:180], encrypted[150:180]},
		"the end of a key":               {modern[40:], modern[60:100]},
		"a key for SSH":                  {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----", "b3Blbn"},
		"a key of PGP":                   {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQOYBF-\n-----END PGP PRIVATE KEY BLOCK-----", "lQOYBF"},
		"a key twice in base64":          {encode([]byte(encode([]byte(modern)))), encode([]byte(encode([]byte(modern))))[60:100]},
		"a key three times in base64":    {encode([]byte(encode([]byte(encode([]byte(modern)))))), encode([]byte(encode([]byte(encode([]byte(modern))))))[60:100]},
		"a key in base64 of URLs":        {base64.RawURLEncoding.EncodeToString([]byte(modern)), base64.RawURLEncoding.EncodeToString([]byte(modern))[60:100]},
		"a key in base64, one on":        {encode([]byte("x" + modern)), encode([]byte("x" + modern))[60:100]},
		"a key in base64, two on":        {encode([]byte("xy" + modern)), encode([]byte("xy" + modern))[60:100]},
		"a key in base64 behind one":     {"A" + encode([]byte(modern)), encode([]byte(modern))[60:100]},
		"a key in base64 behind two":     {"AB" + encode([]byte(modern)), encode([]byte(modern))[60:100]},
		"a key in base64 behind three":   {"ABC" + encode([]byte(modern)), encode([]byte(modern))[60:100]},
		"a key in base64 behind more":    {encode([]byte("a")) + encode([]byte(modern)), encode([]byte(modern))[60:100]},
		"a key in base64 of lines":       {wrapped, encode([]byte(modern))[80:120]},
		"the same, escaped":              {quoted(t, wrap(encode([]byte(modern)), 64)), encode([]byte(modern))[70:110]},
		"a Secret in base64":             {encode([]byte(`{"data":{"private.key":"` + encode([]byte(modern)) + `"}}`)), encode([]byte(`{"data":{"private.key":"` + encode([]byte(modern)) + `"}}`))[60:100]},
		"a key without its lines":        {encode(pkcs8), encode(pkcs8)[40:80]},
		"an older one without them":      {encode(sec1), encode(sec1)[40:80]},
		"a token in base64":              {encode([]byte("hvs.CAESIJ1234567890abcdef")), encode([]byte("hvs.CAESIJ1234567890abcdef"))[8:20]},
		"a password in a URL":            {"https://user:pa%20ss@vault.example:8200/v1", "pa%20ss"},
		"a password with an @":           {"https://user:p@ss@vault.example", "ss@"},
		"a password and no user":         {"redis://:hunter2@redis", "hunter2"},
		"a token in a URL":               {"https://ghp_abcdefgh@example.com/x.git", "ghp_abcdefgh"},
		"a password in a URL in JSON":    {`"https:\/\/user:hunter2@host\/"`, "hunter2"},
		"a password in base64":           {encode([]byte("see https://user:hunter2@host")), encode([]byte("see https://user:hunter2@host"))[16:30]},
		"a basic authorization":          {"Authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50"},
		"a token of a service account":   {"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJib29rcyJ9.c2lnbmF0dXJlLW9m", "c2lnbmF0"},
		"a token of Vault":               {"hvs.CAESIJ1234567890abcdef", "CAESIJ"},
		"a token of an older Vault":      {"s.abcdefghijklmnopqrstuvwx", "abcdefghij"},
		"what authorises a request":      {"Authorization: Bearer abcdefghijkl", "abcdefghijkl"},
		"the same on a folded line":      {"Authorization: Bearer\n      abcdefghijkl", "abcdefghijkl"},
		"the same in JSON":               {`"Authorization":["Basic dXNlcjpodW50ZXIy"]`, "dXNlcjpodW50"},
		"a token as Go writes a map":     {"map[X-Vault-Token:[abcdefghijkl]]", "abcdefghijkl"},
		"a token in a manifest":          {"name: VAULT_TOKEN\n  value: abcdefghijkl", "abcdefghijkl"},
		"a token in a manifest's JSON":   {`{"name":"VAULT_TOKEN","value":"abcdefghijkl"}`, "abcdefghijkl"},
		"a JSON Web Key":                 {`{"kty":"EC","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`, "gfuTJ4"},
		"a key in a query":               {"k=" + strings.NewReplacer(" ", "+", "\n", "%0A").Replace(modern), strings.Split(modern, "\n")[1]},
		"base64 of lines, escaped twice": {strings.ReplaceAll(wrap(encode([]byte(modern)), 64), "\n", `\\n`), encode([]byte(modern))[70:110]},
		"a key behind a word":            {"private_key_" + encode(pkcs8), encode(pkcs8)[40:80]},
		"an older key behind a word":     {"keyy" + encode(sec1), encode(sec1)[40:80]},
		"a password with a slash":        {"https://user:hun/ter2@vault.example", "ter2"},
		"a password with an ampersand":   {`https://user:hun\u0026ter2@vault.example`, "ter2"},
		"a password in a URL's query":    {"next=https%3A%2F%2Fuser%3Ahunter2%40vault.example", "hunter2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := string(redact([]byte("before " + test.secret + " after")))
			if strings.Contains(got, test.part) || !strings.HasPrefix(got, "before ") || !strings.Contains(got, removed) {
				t.Errorf("got %q", got)
			}
		})
	}
	certificate := "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIRAJ\n-----END CERTIFICATE-----\n"
	for _, kept := range []string{
		`"caBundle": "` + base64.StdEncoding.EncodeToString([]byte(certificate)) + `", version: v1.2.3-rc.4`, certificate,
		"flomesh/pipy@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"https://vault.example:8200/v1/pki/sign?a=b@c, mail@example.com", "2026-01-01T00:00:00Z Warning RootSigns osm-mesh-root-certificate: root signs",
		"spiffe://cluster.local/ns/bookstore/sa/bookstore-v2", "https://vault.example:8200/a?next=https%3A%2F%2Fother%3A8200%2Fb%40c",
		`{"key":"d","value":"12345678901234567890123456789012"}`, "bearer of bad news",
	} {
		if got := string(redact([]byte(kept))); got != kept {
			t.Errorf("%q became %q", kept, got)
		}
	}
	if got, want := string(redact([]byte("at https://user:hunter2@vault.example:8200/v1"))), "at https://REMOVED@vault.example:8200/v1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	leaked := "cannot read -----BEGIN PRIVATE KEY----- here\n2026-01-01 INFO the next line\n"
	if got := string(redact([]byte(leaked))); !strings.Contains(got, "the next line") {
		t.Errorf("%q became %q", leaked, got)
	}
}

// wrap breaks a text into lines.
func wrap(text string, width int) string {
	var lines []string
	for ; len(text) > width; text = text[width:] {
		lines = append(lines, text[:width])
	}
	return strings.Join(append(lines, text), "\n")
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

func BenchmarkRedact(b *testing.B) {
	text := []byte(strings.Repeat(strings.Repeat("0123456789abcdefABCDEF", 40)+" a line of a log: level=INFO\n", 1000))
	for b.Loop() {
		redact(text)
	}
	b.SetBytes(int64(len(text)))
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
