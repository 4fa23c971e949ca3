// Package rootsecret keeps a root in a Kubernetes Secret. The first to create
// the Secret decides which root it is, and every replica adopts it. A Secret
// that holds no usable root is refused and never overwritten.
package rootsecret

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// The keys of the Secret.
const (
	CertificateKey = "ca.crt"      // the root certificate, PEM
	PrivateKeyKey  = "private.key" // its key, PEM
	ExpirationKey  = "expiration"  // its end, ISO 8601 with milliseconds
)

const (
	expirationLayout = "2006-01-02T15:04:05.000Z"

	// expirationSlack forgives an expiration that was written in local time.
	expirationSlack = 24 * time.Hour
)

// Root is a root certificate and its key.
type Root struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// RefusedError says why a Secret holds no usable root.
type RefusedError struct {
	Namespace, Name string
	Key             string // of the Secret's data
	Problem         string
	Fix             string
}

func (e *RefusedError) Error() string { return e.Refusal() + issuer.ToFix + e.Fix }

// Refusal says which key of which Secret is refused, and why, without the fix.
func (e *RefusedError) Refusal() string {
	return fmt.Sprintf("secret %s/%s is refused: key %q: %s", e.Namespace, e.Name, e.Key, e.Problem)
}

const (
	fixCertificate = "put the PEM certificate of one root CA there, or delete the secret to have a new root made"
	fixKey         = "put the PEM private key of ca.crt there, or delete the secret to have a new root made"
	fixExpiration  = "remove that key, it is then written again from ca.crt"
)

// Parse reads the root of a Secret. The error is a *RefusedError if the root
// cannot be used at the given time. A missing expiration is no error.
func Parse(secret *corev1.Secret, now time.Time) (Root, error) {
	refuse := func(key, fix string, err error) (Root, error) {
		return Root{}, &RefusedError{secret.Namespace, secret.Name, key, err.Error(), fix}
	}
	cert, err := parseCertificate(secret.Data[CertificateKey], now)
	if err != nil {
		return refuse(CertificateKey, fixCertificate, err)
	}
	key, err := parseKey(secret.Data[PrivateKeyKey])
	if err != nil {
		return refuse(PrivateKeyKey, fixKey, err)
	}
	if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return refuse(PrivateKeyKey, fixKey, errors.New("it is the key of another certificate"))
	}
	if err := checkExpiration(secret.Data, cert.NotAfter); err != nil {
		return refuse(ExpirationKey, fixExpiration, err)
	}
	return Root{cert, key}, nil
}

// RefuseCertificate is the error for a root that cannot be used for another
// reason than Parse finds.
func RefuseCertificate(secret *corev1.Secret, err error) error {
	return &RefusedError{secret.Namespace, secret.Name, CertificateKey, err.Error(), fixCertificate}
}

func parseCertificate(data []byte, now time.Time) (*x509.Certificate, error) {
	if len(data) == 0 {
		return nil, errors.New("it is missing or empty")
	}
	certs, err := trustbundle.ParseCertificates(data)
	if err != nil {
		return nil, err
	}
	if len(certs) > 1 {
		return nil, fmt.Errorf("it holds %d certificates, not one", len(certs))
	}
	return certs[0], issuer.CheckRoot(certs[0], now)
}

func parseKey(data []byte) (crypto.Signer, error) {
	if len(data) == 0 {
		return nil, errors.New("it is missing or empty")
	}
	return trustbundle.ParseKey(data)
}

func checkExpiration(data map[string][]byte, notAfter time.Time) error {
	value, ok := data[ExpirationKey]
	if !ok {
		return nil
	}
	t, ok := parseTime(string(value))
	if !ok {
		// The value is not repeated: a key may have been put there by mistake.
		return fmt.Errorf("it is not an ISO 8601 time such as %s", notAfter.UTC().Format(expirationLayout))
	}
	if d := t.Sub(notAfter).Abs(); d > expirationSlack {
		return fmt.Errorf("it is %s, and ca.crt ends at %s", t.UTC().Format(time.RFC3339), notAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// expirationLayouts are ISO 8601 as programs and people write it, and what openssl
// x509 -enddate prints.
var expirationLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "20060102T150405Z0700", "Jan _2 15:04:05 2006 GMT"}

func parseTime(value string) (time.Time, bool) {
	value = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(value, "\ufeff")), "notAfter=")
	for _, layout := range expirationLayouts {
		if t, err := time.Parse(layout, value); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// Ignored describes, for each key of the Secret, what Parse and ParseRoots pass
// over in a text that they accept: nothing if it is empty.
func Ignored(secret *corev1.Secret) string {
	var all []string
	for _, key := range []string{CertificateKey, PrivateKeyKey} {
		if ignored := trustbundle.Ignored(secret.Data[key]); ignored != "" {
			all = append(all, fmt.Sprintf("key %q: %s", key, ignored))
		}
	}
	return strings.Join(all, "; ")
}

// encode returns the data of a Secret that holds the root.
func encode(root Root) (map[string][]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(root.Key)
	if err != nil {
		return nil, fmt.Errorf("encode the root key: %w", err)
	}
	return map[string][]byte{
		CertificateKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate.Raw}),
		PrivateKeyKey:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		ExpirationKey:  []byte(root.Certificate.NotAfter.UTC().Format(expirationLayout)),
	}, nil
}
