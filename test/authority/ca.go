package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
)

// CA is an intermediate that signs in the cluster, of a root whose key is kept elsewhere; here, it is not kept.
type CA struct {
	Root *x509.Certificate

	certificate *x509.Certificate
	key         crypto.Signer
}

// NewCA makes a root, and an intermediate of it.
func NewCA() (CA, error) {
	root, rootKey, err := tresor.NewRoot()
	if err != nil {
		return CA{}, err
	}
	key, err := issuer.GenerateRootKey()
	if err != nil {
		return CA{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return CA{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "osm-ca", SerialNumber: root.Subject.SerialNumber},
		NotBefore:             time.Now().Add(-issuer.ClockSkew),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
	}, root, key.Public(), rootKey)
	if err != nil {
		return CA{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return CA{root, certificate, key}, err
}

// secretData is what cert-manager's CA issuer reads.
func (ca CA) secretData() (map[string][]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"tls.crt": slices.Concat(certificatePEM(ca.certificate), certificatePEM(ca.Root)),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil
}

func certificatePEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
