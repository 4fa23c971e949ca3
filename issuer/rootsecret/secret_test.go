package rootsecret

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestASecretWithoutAUsableRootIsRefusedByNameKeyAndFix(t *testing.T) {
	root, other := newRoot(t), newRoot(t)
	good, foreign := dataOf(t, root), dataOf(t, other)
	with := func(key string, value []byte) map[string][]byte {
		data := dataOf(t, root)
		data[key] = value
		return data
	}
	changed := func(change func(*x509.Certificate)) map[string][]byte {
		return dataOf(t, rootOf(t, newECKey(t), change))
	}
	tests := map[string]struct {
		data map[string][]byte
		key  string
		want string
	}{
		"no keys":                       {nil, CertificateKey, "missing or empty"},
		"an empty certificate":          {with(CertificateKey, nil), CertificateKey, "missing or empty"},
		"a certificate of garbage":      {with(CertificateKey, []byte("garbage")), CertificateKey, "not PEM"},
		"a certificate that is cut off": {with(CertificateKey, good[CertificateKey][:200]), CertificateKey, "not PEM"},
		"a certificate of bad DER":      {with(CertificateKey, pemOf("CERTIFICATE", []byte("garbage"))), CertificateKey, "certificate 1"},
		"a key in the certificate's place": {with(CertificateKey, good[PrivateKeyKey]), CertificateKey,
			`a PEM block of type "PRIVATE KEY" where only CERTIFICATE belongs`},
		"a key beside the certificate": {with(CertificateKey, slices.Concat(good[CertificateKey], good[PrivateKeyKey])), CertificateKey,
			`a PEM block of type "PRIVATE KEY" where only CERTIFICATE belongs`},
		"two certificates": {with(CertificateKey, slices.Concat(good[CertificateKey], foreign[CertificateKey])), CertificateKey,
			"it holds 2 certificates, not one"},
		"a leaf": {changed(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }), CertificateKey,
			"not a CA certificate"},
		"a CA that may not sign certificates": {changed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), CertificateKey,
			"does not allow it to sign"},
		"an intermediate": {dataOf(t, intermediateOf(t, other)), CertificateKey, "not a root: it is issued by"},
		"an expired root": {changed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), CertificateKey,
			"expired at"},
		"a root that is not valid yet": {changed(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour / 2) }), CertificateKey,
			"not valid before"},

		"no private key":               {with(PrivateKeyKey, nil), PrivateKeyKey, "missing or empty"},
		"a private key of garbage":     {with(PrivateKeyKey, []byte("garbage")), PrivateKeyKey, "no private key in it"},
		"a private key that is cut":    {with(PrivateKeyKey, good[PrivateKeyKey][:100]), PrivateKeyKey, "malformed or cut off"},
		"two private keys":             {with(PrivateKeyKey, slices.Concat(good[PrivateKeyKey], foreign[PrivateKeyKey])), PrivateKeyKey, "two private keys"},
		"a cut key before a whole one": {with(PrivateKeyKey, slices.Concat(foreign[PrivateKeyKey][:100], []byte("\n"), good[PrivateKeyKey])), PrivateKeyKey, "malformed or cut off"},
		"a certificate as private key": {with(PrivateKeyKey, good[CertificateKey]), PrivateKeyKey, `a PEM block of type "CERTIFICATE" where only PRIVATE KEY belongs`},
		"a public key": {with(PrivateKeyKey, pemOf("PUBLIC KEY", publicDER(t, root))), PrivateKeyKey,
			`a PEM block of type "PUBLIC KEY" where only PRIVATE KEY belongs`},
		"a private key of bad DER":   {with(PrivateKeyKey, pemOf("PRIVATE KEY", []byte("garbage"))), PrivateKeyKey, "not a private key that can sign"},
		"a key of another encoding":  {with(PrivateKeyKey, pemOf("RSA PRIVATE KEY", derOf(good[PrivateKeyKey]))), PrivateKeyKey, "not a private key that can sign"},
		"a key that cannot sign":     {with(PrivateKeyKey, pemOf("PRIVATE KEY", x25519DER(t))), PrivateKeyKey, "not a private key that can sign"},
		"another certificate's key":  {with(PrivateKeyKey, foreign[PrivateKeyKey]), PrivateKeyKey, "the key of another certificate"},
		"a key of another algorithm": {with(PrivateKeyKey, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(newRSAKey(t)))), PrivateKeyKey, "the key of another certificate"},

		"an empty expiration":         {with(ExpirationKey, nil), ExpirationKey, "not an ISO 8601 time such as 20"},
		"an expiration of words":      {with(ExpirationKey, []byte("in ten years")), ExpirationKey, "not an ISO 8601 time such as 20"},
		"an expiration without time":  {with(ExpirationKey, []byte("2031-01-11")), ExpirationKey, "not an ISO 8601 time such as 20"},
		"a key as expiration":         {with(ExpirationKey, []byte(base64.StdEncoding.EncodeToString(derOf(good[PrivateKeyKey])))), ExpirationKey, "not an ISO 8601 time such as 20"},
		"another root's expiration":   {with(ExpirationKey, []byte("2020-01-11T23:15:09.299Z")), ExpirationKey, "it is 2020-01-11T23:15:09Z, and ca.crt ends at 20"},
		"an expiration two days late": {with(ExpirationKey, []byte(root.Certificate.NotAfter.Add(48*time.Hour).Format(time.RFC3339))), ExpirationKey, "and ca.crt ends at"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(secretOf(test.data), time.Now())
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want a RefusedError", err)
			}
			if refused.Namespace != "osm-system" || refused.Name != "osm-ca-bundle" || refused.Key != test.key {
				t.Errorf("refused %s/%s, key %s, want key %s", refused.Namespace, refused.Name, refused.Key, test.key)
			}
			for _, want := range []string{"secret osm-system/osm-ca-bundle", `"` + test.key + `"`, test.want, "to fix it, "} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			mustHoldNoKey(t, err.Error(), test.data)
		})
	}
}

// mustHoldNoKey looks for any run of text that the data's keys are encoded
// with; the words of an error are shorter.
func mustHoldNoKey(t *testing.T, message string, data map[string][]byte) {
	t.Helper()
	for _, run := range regexp.MustCompile(`[A-Za-z0-9+/=]{20,}`).FindAllString(message, -1) {
		for key, value := range data {
			if strings.Contains(string(value), run) {
				t.Errorf("error %q repeats what is in %s", message, key)
			}
		}
	}
}

func TestWhatIsEncodedIsParsed(t *testing.T) {
	root := newRoot(t)
	data := dataOf(t, root)
	if len(data) != 3 {
		t.Errorf("the secret has %d keys, want three", len(data))
	}
	if block, rest := pem.Decode(data[PrivateKeyKey]); block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		t.Errorf("the key is not one PEM block of PKCS #8")
	}
	if ok, err := regexp.Match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, data[ExpirationKey]); err != nil || !ok {
		t.Errorf("expiration %q is not ISO 8601 with milliseconds, in UTC", data[ExpirationKey])
	}
	got, err := Parse(secretOf(data), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Certificate.Equal(root.Certificate) || !sameKey(got, root) {
		t.Error("another root came back")
	}
}

func TestRootsOfOtherToolsAreTaken(t *testing.T) {
	asIs := func(*x509.Certificate) {}
	rsaKey, ecKey := newRSAKey(t), newECKey(t)
	rsaRoot, ecRoot := rootOf(t, rsaKey, asIs), rootOf(t, ecKey, asIs)
	ecDER, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	end := ecRoot.Certificate.NotAfter
	tests := map[string]struct {
		root Root
		edit func(map[string][]byte)
	}{
		"an RSA key in PKCS #8": {rsaRoot, func(map[string][]byte) {}},
		"an RSA key in PKCS #1": {rsaRoot, func(data map[string][]byte) {
			data[PrivateKeyKey] = pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
		}},
		"an EC key in SEC 1":      {ecRoot, func(data map[string][]byte) { data[PrivateKeyKey] = pemOf("EC PRIVATE KEY", ecDER) }},
		"blank lines around both": {ecRoot, func(data map[string][]byte) { pad(data, CertificateKey); pad(data, PrivateKeyKey) }},
		"no expiration":           {ecRoot, func(data map[string][]byte) { delete(data, ExpirationKey) }},
		"an expiration in local time": {ecRoot, func(data map[string][]byte) {
			data[ExpirationKey] = []byte(end.Add(9 * time.Hour).UTC().Format(expirationLayout))
		}},
		"an expiration with a time zone": {ecRoot, func(data map[string][]byte) { data[ExpirationKey] = []byte(end.Format(time.RFC3339)) }},
		"text around both": {ecRoot, func(data map[string][]byte) {
			data[CertificateKey] = slices.Concat([]byte("\ufeff# root\r\n"), data[CertificateKey], data[CertificateKey])
			data[PrivateKeyKey] = slices.Concat([]byte("Bag Attributes\n"), data[PrivateKeyKey], []byte("and more"))
		}},
		"an expiration and a line end": {ecRoot, func(data map[string][]byte) { data[ExpirationKey] = append(data[ExpirationKey], "\r\n"...) }},
		"an expiration of openssl": {ecRoot, func(data map[string][]byte) {
			data[ExpirationKey] = []byte(end.UTC().Format("Jan _2 15:04:05 2006 GMT\n"))
		}},
		"an expiration of openssl, with its name": {ecRoot, func(data map[string][]byte) {
			data[ExpirationKey] = []byte(end.UTC().Format("notAfter=Jan _2 15:04:05 2006 GMT\n"))
		}},
		"an expiration of date":         {ecRoot, func(data map[string][]byte) { data[ExpirationKey] = []byte(end.Format("2006-01-02 15:04:05-07:00\n")) }},
		"keys of another client beside": {ecRoot, func(data map[string][]byte) { data["note"] = []byte("of the platform team") }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := dataOf(t, test.root)
			test.edit(data)
			got, err := Parse(secretOf(data), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if !got.Certificate.Equal(test.root.Certificate) || !sameKey(got, test.root) {
				t.Error("another root came back")
			}
		})
	}
}

func sameKey(a, b Root) bool {
	public, ok := a.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(b.Key.Public())
}

func publicDER(t *testing.T, root Root) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(root.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func x25519DER(t *testing.T) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func derOf(data []byte) []byte {
	block, _ := pem.Decode(data)
	return block.Bytes
}

func pad(data map[string][]byte, key string) {
	data[key] = slices.Concat([]byte("\n\n"), data[key], []byte(" \n"))
}
