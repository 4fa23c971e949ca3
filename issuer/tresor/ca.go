// Package tresor is the built-in certificate authority: a root certificate and
// its key, held in memory, that sign requests. Where the two are kept is not
// its business.
package tresor

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// CA signs with a root's key. It implements issuer.Issuer.
type CA struct {
	root   *x509.Certificate
	key    crypto.Signer
	bundle trustbundle.TrustBundle
}

// New returns the CA of a root certificate and its key. It refuses a pair that
// cannot sign: see issuer.CheckRoot.
func New(root *x509.Certificate, key crypto.Signer) (*CA, error) {
	if err := issuer.CheckRoot(root, time.Now()); err != nil {
		return nil, err
	}
	public, ok := root.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the private key is not that of the root certificate")
	}
	return &CA{root: root, key: key, bundle: trustbundle.New(root)}, nil
}

// Issue implements issuer.Issuer. A certificate does not outlive the root.
func (ca *CA) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ttl <= 0 {
		return nil, fmt.Errorf("a lifetime of %s is not positive", ttl)
	}
	now := time.Now()
	if !now.Before(ca.root.NotAfter) {
		return nil, fmt.Errorf("the root certificate expired at %s", ca.root.NotAfter.UTC())
	}
	notAfter := now.Add(ttl)
	if notAfter.After(ca.root.NotAfter) {
		notAfter = ca.root.NotAfter
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	leaf, err := create(&x509.Certificate{
		SerialNumber:          serial,
		Subject:               req.Subject(),
		DNSNames:              req.DNSNames(),
		URIs:                  req.URIs(),
		NotBefore:             now.Add(-issuer.ClockSkew),
		NotAfter:              notAfter,
		KeyUsage:              keyUsage(req.PublicKey()),
		ExtKeyUsage:           req.Usages(),
		BasicConstraintsValid: true,
	}, ca.root, req.PublicKey(), ca.key)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{leaf}, nil
}

// Roots implements issuer.Issuer.
func (ca *CA) Roots(context.Context) (trustbundle.TrustBundle, error) { return ca.bundle, nil }

// Root returns the root certificate.
func (ca *CA) Root() *x509.Certificate { return ca.root }

// keyUsage allows key encipherment to RSA keys only, which alone can do it.
func keyUsage(key crypto.PublicKey) x509.KeyUsage {
	if _, ok := key.(*rsa.PublicKey); ok {
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	}
	return x509.KeyUsageDigitalSignature
}

func create(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// serialNumber returns 128 random bits: unique without a counter, and above the
// 64 bits of entropy that CA/Browser Forum BR 7.1 asks for.
func serialNumber() (*big.Int, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return new(big.Int).SetBytes(b[:]), nil
}
