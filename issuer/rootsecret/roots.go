package rootsecret

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
)

// maxRoots is more than a change of the root needs.
const maxRoots = 8

// ParseRoots reads the roots of a Secret for a certificate authority outside of
// the mesh: ca.crt, and at most an expiration beside it. Several roots are
// those before and after a change. The error is a *RefusedError if they cannot
// be used at the given time, or if something else is there: a key of the root
// belongs nowhere in the cluster then.
func ParseRoots(secret *corev1.Secret, now time.Time) (issuer.TrustBundle, error) {
	refuse := func(key, mend string, err error) (issuer.TrustBundle, error) {
		return issuer.TrustBundle{}, &RefusedError{secret.Namespace, secret.Name, key, err.Error(), mend}
	}
	roots, err := parseRoots(secret.Data[CertificateKey], now)
	if err != nil {
		return refuse(CertificateKey, replaceRoots(secret.Namespace, secret.Name), err)
	}
	for key := range secret.Data {
		if key != CertificateKey && key != ExpirationKey {
			return refuse(key, "name a Secret with ca.crt alone in rootsSecretRef or, if nothing signs with this one, remove that key", errors.New("it does not belong there"))
		}
	}
	errs := make([]error, len(roots))
	for i, root := range roots {
		errs[i] = checkExpiration(secret.Data, root.NotAfter)
	}
	if !slices.Contains(errs, nil) {
		return refuse(ExpirationKey, "correct or remove that key", errs[0])
	}
	return issuer.NewTrustBundle(roots...), nil
}

func parseRoots(data []byte, now time.Time) ([]*x509.Certificate, error) {
	if len(data) == 0 {
		return nil, errors.New("it is missing or empty")
	}
	roots, err := issuer.ParseCertificates(data)
	if err != nil {
		return nil, err
	}
	if len(roots) > maxRoots {
		return nil, fmt.Errorf("it holds %d certificates, which is more than %d", len(roots), maxRoots)
	}
	for _, root := range roots {
		if err := issuer.CheckRoot(root, now); err != nil {
			return nil, fmt.Errorf("certificate of %q: %w", root.Subject, err)
		}
	}
	return roots, nil
}

// Missing is the error where ParseRoots has no Secret to read.
func Missing(namespace, name string) error {
	return &RefusedError{namespace, name, CertificateKey, "the secret does not exist", mendRoots(namespace, name)}
}

func replaceRoots(namespace, name string) string {
	return fmt.Sprintf("put the root certificate there that the issuer's chains end with: kubectl create secret generic %s -n %s --from-file=ca.crt --dry-run=client -o yaml | kubectl replace -f -", name, namespace)
}

func mendRoots(namespace, name string) string {
	return fmt.Sprintf("create it from the root certificate that the issuer's chains end with: kubectl create secret generic %s -n %s --from-file=ca.crt", name, namespace)
}
