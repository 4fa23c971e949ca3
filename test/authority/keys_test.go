package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestAKeyIsFoundInWhateverFormItHas(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	ecDER, err := x509.MarshalECPrivateKey(ec)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(ec)
	must(t, err)
	certificate := []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	forms := map[string]struct {
		of    crypto.Signer
		value []byte
	}{
		"DER of PKCS 8":                 {ec, pkcs8},
		"DER of SEC 1":                  {ec, ecDER},
		"DER of PKCS 1":                 {rsaKey, x509.MarshalPKCS1PrivateKey(rsaKey)},
		"PEM behind a certificate":      {ec, append(certificate, encode("PRIVATE KEY", pkcs8)...)},
		"PEM of another name":           {ec, encode("SOMETHING", ecDER)},
		"PEM that begins after a story": {ec, append([]byte("Once upon a time\n"), encode("EC PRIVATE KEY", ecDER)...)},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: "somewhere", Name: "mine"},
				Data:       map[string][]byte{"a": []byte("nothing"), "b": form.value},
			})
			found, err := FindKeys(t.Context(), client, []*x509.Certificate{{PublicKey: form.of.Public()}})
			must(t, err)
			if !slices.Equal(found.Places, []string{"somewhere/mine, b"}) || found.Secrets != 1 || found.Keys != 1 {
				t.Errorf("found %+v", found)
			}
			found, err = FindKeys(t.Context(), client, []*x509.Certificate{{PublicKey: other(t)}})
			must(t, err)
			if len(found.Places) != 0 || found.Keys != 1 {
				t.Errorf("another's key: found %+v", found)
			}
		})
	}
}

func other(t *testing.T) crypto.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key.Public()
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
