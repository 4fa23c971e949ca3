package issuer

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// trialTTL is how long the certificate of a trial lives, which is not used.
const trialTTL = time.Hour

// Try has an issuer certify a key of an identity, and verifies the chain as every
// peer would. What is wrong with a root, an intermediate, a role or an approval shows
// by that alone, before anything depends on it.
func Try(ctx context.Context, i Issuer, algorithm KeyAlgorithm, id identity.Identity) error {
	request, err := NewServiceRequest(algorithm, id)
	if err != nil {
		return err
	}
	chain, err := i.Issue(ctx, request, trialTTL)
	if err != nil {
		return err
	}
	if err := request.Check(chain); err != nil {
		return err
	}
	roots, err := i.Roots(ctx)
	if err != nil {
		return err
	}
	return request.Verify(chain, roots, time.Now())
}

// Verify verifies a chain as the request's peers will: by its names, for each of
// its usages, and with no intermediate that some of them refuse. See
// [CheckAuthority].
func (r *Request) Verify(chain []*x509.Certificate, roots TrustBundle, now time.Time) error {
	leaf, intermediates := chain[0], x509.NewCertPool()
	for _, intermediate := range chain[1:] {
		if err := CheckAuthority(intermediate); err != nil {
			return fmt.Errorf("the intermediate %q: %w", intermediate.Subject, err)
		}
		intermediates.AddCert(intermediate)
	}
	if err := checkSignatureAlgorithm(leaf.SignatureAlgorithm); err != nil {
		return fmt.Errorf("certificate for %s: %w", r.commonName, err)
	}
	for _, usage := range r.usages {
		for _, name := range r.dnsNames {
			options := x509.VerifyOptions{
				Roots: roots.Pool(), Intermediates: intermediates, DNSName: name,
				KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: VerifyTime(leaf, now),
			}
			if _, err := leaf.Verify(options); err != nil {
				return fmt.Errorf("no peer would accept the certificate for %s: %w", r.commonName, err)
			}
		}
	}
	return nil
}

// VerifyTime returns the time at which to verify a leaf that was issued now, by
// a clock that may be ahead of this one.
func VerifyTime(leaf *x509.Certificate, now time.Time) time.Time {
	if now.Before(leaf.NotBefore) && leaf.NotBefore.Sub(now) <= ClockSkew {
		return leaf.NotBefore
	}
	return now
}
