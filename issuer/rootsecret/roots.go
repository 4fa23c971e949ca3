package rootsecret

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// maxRoots is more than a change of the root needs.
const maxRoots = 8

// Roots are those that a Secret has for a certificate authority outside of the
// mesh.
type Roots struct {
	trustbundle.TrustBundle
	// LeftOut lie beside them in ca.crt, and are not trusted.
	LeftOut []LeftOut
}

// LeftOut is a certificate that cannot be a root of the mesh now, and why.
type LeftOut struct {
	Certificate *x509.Certificate
	Reason      error
}

// ParseRoots reads the roots of a Secret for a certificate authority outside of
// the mesh: ca.crt, and at most an expiration beside it. Several roots are
// those before and after a change: what has ended of them, or cannot be a root,
// is left out while another is right. With a trust domain, roots have to be able
// to certify its names. The error is a *RefusedError if no root can be used at
// the given time, or if something else is there: a key of the root belongs
// nowhere in the cluster then.
func ParseRoots(secret *corev1.Secret, trustDomain string, now time.Time) (Roots, error) {
	refuse := func(key, fix string, err error) (Roots, error) {
		return Roots{}, &RefusedError{secret.Namespace, secret.Name, key, err.Error(), fix}
	}
	certificates, err := parseAll(secret.Data[CertificateKey])
	var roots Roots
	if err == nil {
		roots, err = sift(certificates, trustDomain, now)
	}
	if err != nil {
		return refuse(CertificateKey, replaceRoots(secret), err)
	}
	for key := range secret.Data {
		if key != CertificateKey && key != ExpirationKey {
			return refuse(key, "name a Secret with ca.crt alone in rootsSecretRef or, if nothing signs with this one, remove that key", errors.New("it does not belong there"))
		}
	}
	errs := make([]error, len(certificates))
	for i, certificate := range certificates {
		errs[i] = checkExpiration(secret.Data, certificate.NotAfter)
	}
	if !slices.Contains(errs, nil) {
		return refuse(ExpirationKey, "correct or remove that key", errs[0])
	}
	return roots, nil
}

func parseAll(data []byte) ([]*x509.Certificate, error) {
	if len(data) == 0 {
		return nil, errors.New("it is missing or empty")
	}
	return trustbundle.ParseCertificates(data)
}

// sift tells roots from what is left out. It fails where no root is left.
func sift(certificates []*x509.Certificate, trustDomain string, now time.Time) (Roots, error) {
	var roots []*x509.Certificate
	var leftOut []LeftOut
	for _, certificate := range certificates {
		err := issuer.CheckRoot(certificate, now)
		if err == nil && trustDomain != "" {
			err = issuer.CheckNames(certificate, issuer.Names{TrustDomain: trustDomain})
		}
		if err != nil {
			leftOut = append(leftOut, LeftOut{certificate, err})
			continue
		}
		roots = append(roots, certificate)
	}
	switch {
	case len(roots) == 0:
		return Roots{}, fmt.Errorf("certificate of %q: %w", leftOut[0].Certificate.Subject, leftOut[0].Reason)
	case len(roots) > maxRoots:
		return Roots{}, fmt.Errorf("it holds %d roots, which is more than %d", len(roots), maxRoots)
	}
	return Roots{trustbundle.New(roots...), leftOut}, nil
}

// Missing is the error where ParseRoots has no Secret to read.
func Missing(namespace, name string) error {
	return &RefusedError{namespace, name, CertificateKey, "the secret does not exist", fixRoots(namespace, name)}
}

func replaceRoots(secret *corev1.Secret) string {
	name, namespace := secret.Name, secret.Namespace
	if secret.Immutable != nil && *secret.Immutable {
		return fmt.Sprintf("delete it, for it is immutable, and create it from the root certificate that the issuer's chains end with: kubectl delete secret %s -n %s && kubectl create secret generic %[1]s -n %[2]s --from-file=ca.crt", name, namespace)
	}
	return fmt.Sprintf("put the root certificate there that the issuer's chains end with: kubectl create secret generic %s -n %s --from-file=ca.crt --dry-run=client -o yaml | kubectl replace -f -", name, namespace)
}

func fixRoots(namespace, name string) string {
	return fmt.Sprintf("create it from the root certificate that the issuer's chains end with: kubectl create secret generic %s -n %s --from-file=ca.crt", name, namespace)
}
