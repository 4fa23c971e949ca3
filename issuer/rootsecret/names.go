package rootsecret

import (
	"crypto/x509"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
)

// CheckNames refuses a Secret whose roots may not certify the mesh's names. A
// root whose key the Secret has signs for the mesh's webhooks too. The error is
// a *RefusedError.
func CheckNames(secret *corev1.Secret, trustDomain string, roots ...*x509.Certificate) error {
	names, mend := issuer.Names{TrustDomain: trustDomain}, replaceRoots(secret.Namespace, secret.Name)
	if _, ok := secret.Data[PrivateKeyKey]; ok {
		names.Servers, mend = secret.Namespace+".svc", mendCertificate
	}
	for _, root := range roots {
		if err := issuer.CheckNames(root, names); err != nil {
			return &RefusedError{secret.Namespace, secret.Name, CertificateKey, err.Error(), mend}
		}
	}
	return nil
}
