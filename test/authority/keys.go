package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Found is what FindKeys has seen.
type Found struct {
	// Secrets and Keys are how many Secrets there are, and how many private keys in them.
	Secrets, Keys int
	// Places are where a private key of one of the certificates is, as "namespace/name, key".
	Places []string
}

// FindKeys looks through every Secret of the cluster for the private keys of the certificates, in whatever form and under
// whatever name.
func FindKeys(ctx context.Context, client kubernetes.Interface, certificates []*x509.Certificate) (Found, error) {
	secrets, err := client.CoreV1().Secrets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return Found{}, err
	}
	found := Found{Secrets: len(secrets.Items)}
	for _, secret := range secrets.Items {
		for name, value := range secret.Data {
			for _, key := range privateKeys(value) {
				found.Keys++
				if ofOne(key, certificates) {
					found.Places = append(found.Places, fmt.Sprintf("%s/%s, %s", secret.Namespace, secret.Name, name))
				}
			}
		}
	}
	slices.Sort(found.Places)
	return found, nil
}

// privateKeys returns those in the text, and that which it is.
func privateKeys(value []byte) (keys []crypto.Signer) {
	if key := parseKey(value); key != nil {
		keys = append(keys, key)
	}
	for block, rest := pem.Decode(value); block != nil; block, rest = pem.Decode(rest) {
		if key := parseKey(block.Bytes); key != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

func parseKey(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer) // that of a key exchange signs nothing
		return signer
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

func ofOne(key crypto.Signer, certificates []*x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, certificate := range certificates {
		if ok && public.Equal(certificate.PublicKey) {
			return true
		}
	}
	return false
}
