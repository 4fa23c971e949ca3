package tresor

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
)

const (
	rootCommonName = "osm-ca.openservicemesh.io"

	// RootValidity is the lifetime of a new root: ten years.
	RootValidity = 87600 * time.Hour
)

// NewRoot makes a root certificate of the mesh and its key.
func NewRoot() (*x509.Certificate, crypto.Signer, error) { return NewNamedRoot(rootCommonName) }

// IsOwn tells whether NewRoot made the certificate.
func IsOwn(root *x509.Certificate) bool {
	return root.Subject.CommonName == rootCommonName && root.Subject.SerialNumber == root.SerialNumber.Text(16)
}

// NewNamedRoot makes a root certificate and its key. Each has a subject of its
// own, by its serial number: where many roots of one name are trusted, a verifier
// would try them one after the other, and Go gives up after a hundred.
func NewNamedRoot(commonName string) (*x509.Certificate, crypto.Signer, error) {
	key, err := issuer.GenerateRootKey()
	if err != nil {
		return nil, nil, fmt.Errorf("make a root key: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName, SerialNumber: serial.Text(16)},
		NotBefore:             now.Add(-issuer.ClockSkew),
		NotAfter:              now.Add(RootValidity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	root, err := create(template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	return root, key, nil
}
