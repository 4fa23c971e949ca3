package rootsecret

import (
	"crypto/x509"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
)

// CheckNames refuses a Secret whose root may not certify the names of the mesh,
// or of its webhooks: it signs for both. The error is a *RefusedError.
func CheckNames(secret *corev1.Secret, trustDomain string, root *x509.Certificate) error {
	if err := issuer.CheckNames(root, issuer.Names{TrustDomain: trustDomain, Servers: secret.Namespace + ".svc"}); err != nil {
		return &RefusedError{secret.Namespace, secret.Name, CertificateKey, err.Error(), fixCertificate}
	}
	return nil
}
