package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

// maxCommonName is the upper bound of RFC 5280, appendix A.1 (ub-common-name).
const maxCommonName = 64

// Request asks an [Issuer] to certify a new key under some names. The key
// stays in it: a certificate authority sees the public half, or the PKCS #10
// request that CSR makes.
type Request struct {
	commonName string
	dnsNames   []string
	uris       []*url.URL
	usages     []x509.ExtKeyUsage
	key        crypto.Signer
}

// NewServiceRequest makes a key and asks for the certificate of a workload: its
// SPIFFE ID as the only URI SAN (X.509-SVID section 2), its common name as
// subject and DNS SAN, client and server authentication.
func NewServiceRequest(algorithm KeyAlgorithm, id identity.Identity) (*Request, error) {
	if id == (identity.Identity{}) {
		return nil, errors.New("a request for no identity")
	}
	name := id.CommonName()
	return newRequest(algorithm, Request{
		commonName: name,
		dnsNames:   []string{name},
		uris:       []*url.URL{id.SPIFFEID().URL()},
		usages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
}

// NewServingRequest makes a key and asks for the certificate of a server that
// is known by a DNS name alone, as a webhook is.
func NewServingRequest(algorithm KeyAlgorithm, dnsName string) (*Request, error) {
	return newRequest(algorithm, Request{
		commonName: dnsName,
		dnsNames:   []string{dnsName},
		usages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func newRequest(algorithm KeyAlgorithm, r Request) (*Request, error) {
	key, err := generateKey(algorithm)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", r.commonName, err)
	}
	r.key = key
	return &r, nil
}

// String names the request; it keeps the key out of whatever is printed.
func (r *Request) String() string { return "request for " + r.commonName }

// Subject returns the subject to certify. A common name that is longer than
// RFC 5280 allows is left to the SANs.
func (r *Request) Subject() pkix.Name {
	if len(r.commonName) > maxCommonName {
		return pkix.Name{}
	}
	return pkix.Name{CommonName: r.commonName}
}

// DNSNames returns the DNS SANs to certify.
func (r *Request) DNSNames() []string { return slices.Clone(r.dnsNames) }

// URIs returns the URI SANs to certify.
func (r *Request) URIs() []*url.URL { return slices.Clone(r.uris) }

// Usages returns the extended key usages to certify.
func (r *Request) Usages() []x509.ExtKeyUsage { return slices.Clone(r.usages) }

// PublicKey returns the key to certify.
func (r *Request) PublicKey() crypto.PublicKey { return r.key.Public() }

// GenerateRootKey makes the key of a new root.
func GenerateRootKey() (crypto.Signer, error) { return generateKey(DefaultKeyAlgorithm) }

func generateKey(algorithm KeyAlgorithm) (crypto.Signer, error) {
	switch algorithm {
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	_, err := ParseKeyAlgorithm(string(algorithm))
	return nil, err
}

// CSR returns the request as PKCS #10 DER (RFC 2986), signed with its key.
func (r *Request) CSR() ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: r.Subject(), DNSNames: r.dnsNames, URIs: r.uris}, r.key)
	if err != nil {
		return nil, fmt.Errorf("sign the request for %s: %w", r.commonName, err)
	}
	return der, nil
}

// KeyAlgorithm is the kind and size of a private key.
type KeyAlgorithm = mesh.KeyAlgorithm

// The key algorithms that can be chosen.
const (
	ECDSAP256 = mesh.ECDSAP256
	RSA2048   = mesh.RSA2048
	RSA3072   = mesh.RSA3072
	RSA4096   = mesh.RSA4096
	Ed25519   = mesh.Ed25519
)

// DefaultKeyAlgorithm makes a key in 15 µs where RSA takes 100 ms, and every
// sidecar and client of the mesh speaks it.
const DefaultKeyAlgorithm = ECDSAP256

// ParseKeyAlgorithm reads a key algorithm's name; the error lists those there are.
func ParseKeyAlgorithm(name string) (KeyAlgorithm, error) {
	var names []string
	for _, a := range mesh.KeyAlgorithms() {
		if string(a) == name {
			return a, nil
		}
		names = append(names, string(a))
	}
	return "", fmt.Errorf("key algorithm %q is not one of %s", name, strings.Join(names, ", "))
}

// terms are what the next certificate is issued on.
type terms struct {
	signer       Signer
	epoch        uint64 // of the signer
	ttl          time.Duration
	keyAlgorithm KeyAlgorithm
	probe        bool // of a circuit that is open
}

// admit returns the terms for a caller that asks the signing root now, and
// then reports the result: see settle.
func (m *Manager) admit() (terms, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signer.Issuer == nil {
		return terms{}, ErrNoRoot
	}
	probe, admitted := m.circuit.admit(time.Now())
	if !admitted {
		return terms{}, &outage{m.health()}
	}
	return terms{m.signer, m.epoch, m.lifetime(time.Now()), m.keyAlgorithm, probe}, nil
}
