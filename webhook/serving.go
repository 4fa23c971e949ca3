package webhook

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// parseServing reads the certificate that secret holds for a server that is
// called by serverName, or says which key of secret is wrong, and how.
func parseServing(secret *corev1.Secret, serverName string, now time.Time) (*tls.Certificate, error) {
	if secret.Type != corev1.SecretTypeTLS {
		return nil, fmt.Errorf("type is %q, not %q", secret.Type, corev1.SecretTypeTLS)
	}
	chain, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(bytes.TrimSpace(chain)) == 0 {
		return nil, fmt.Errorf("key %s: missing or empty", corev1.TLSCertKey)
	}
	if _, err := trustbundle.ParseCertificates(chain); err != nil {
		return nil, fmt.Errorf("key %s: %w", corev1.TLSCertKey, err)
	}
	if len(bytes.TrimSpace(key)) == 0 {
		return nil, fmt.Errorf("key %s: missing or empty", corev1.TLSPrivateKeyKey)
	}
	certificate, err := trustbundle.ParseKeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("keys %s and %s: %w", corev1.TLSCertKey, corev1.TLSPrivateKeyKey, err)
	}
	if err := fitsServer(certificate.Leaf, serverName, now); err != nil {
		return nil, fmt.Errorf("key %s: %w", corev1.TLSCertKey, err)
	}
	return certificate, nil
}

// fitsServer tells whether an API server that calls serverName now would
// accept leaf, trust aside.
func fitsServer(leaf *x509.Certificate, serverName string, now time.Time) error {
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("expired at %s", leaf.NotAfter.Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("not valid before %s", leaf.NotBefore.Format(time.RFC3339))
	}
	if err := leaf.VerifyHostname(serverName); err != nil {
		return fmt.Errorf("not for this service: %w", err)
	}
	serves := slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) ||
		slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !serves {
		return errors.New("lacks the extended key usage serverAuth")
	}
	return nil
}
