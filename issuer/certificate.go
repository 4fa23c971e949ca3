package issuer

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Certificate is an issued certificate with its chain and key. It is immutable
// and says nothing of trust: see [trustbundle.TrustBundle].
//
// It holds text alone. A Manager keeps thousands and hands out copies, and each
// that is parsed is fifty objects more for the garbage collector to walk.
type Certificate struct {
	chainPEM []byte
	keyPEM   []byte

	notBefore, notAfter time.Time
}

// Certificate joins the request's key with the chain that an issuer returned
// for it, if Check accepts it.
func (r *Request) Certificate(chain []*x509.Certificate) (*Certificate, error) {
	if err := r.Check(chain); err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of %s: %w", r.commonName, err)
	}
	return &Certificate{
		chainPEM:  trustbundle.Encode(chain...),
		keyPEM:    trustbundle.EncodeBlocks("PRIVATE KEY", keyDER),
		notBefore: latestBegin(chain),
		notAfter:  earliestEnd(chain),
	}, nil
}

// Check refuses a chain whose leaf is not what was asked for: another key, names
// missing or added, a usage missing, a CA (X.509-SVID, section 4.3, says by
// which key usages peers tell), or an ended validity.
func (r *Request) Check(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return fmt.Errorf("certificate for %s: the issuer returned no certificate", r.commonName)
	}
	if err := r.check(chain[0], earliestEnd(chain)); err != nil {
		return fmt.Errorf("certificate for %s: %w", r.commonName, err)
	}
	return nil
}

// earliestEnd is when the chain stops to verify: an intermediate may end before
// its leaf does.
func earliestEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, intermediate := range chain[1:] {
		if intermediate.NotAfter.Before(end) {
			end = intermediate.NotAfter
		}
	}
	return end
}

// latestBegin is when the chain begins to verify.
func latestBegin(chain []*x509.Certificate) time.Time {
	begin := chain[0].NotBefore
	for _, intermediate := range chain[1:] {
		if intermediate.NotBefore.After(begin) {
			begin = intermediate.NotBefore
		}
	}
	return begin
}

func (r *Request) check(leaf *x509.Certificate, end time.Time) error {
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !public.Equal(r.key.Public()):
		return errors.New("the issuer certified another key")
	case leaf.Subject.CommonName != r.Subject().CommonName:
		return fmt.Errorf("the issuer changed the common name to %q", leaf.Subject.CommonName)
	case !slices.Equal(leaf.DNSNames, r.dnsNames):
		return fmt.Errorf("the issuer changed the DNS names to %q", leaf.DNSNames)
	case !slices.EqualFunc(leaf.URIs, r.uris, equalURI):
		return fmt.Errorf("the issuer changed the URIs to %q", leaf.URIs)
	case len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0:
		return errors.New("the issuer added IP or e-mail addresses")
	case leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return errors.New("the issuer returned a CA certificate")
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("the issuer left out the key usage digital signature")
	case !time.Now().Before(end):
		return fmt.Errorf("the issuer returned a certificate or an intermediate that ended at %s", end)
	}
	for _, usage := range r.usages {
		if !slices.Contains(leaf.ExtKeyUsage, usage) {
			return fmt.Errorf("the issuer left out an extended key usage; has %v, wants %v", leaf.ExtKeyUsage, r.usages)
		}
	}
	return nil
}

func equalURI(a, b *url.URL) bool { return *a == *b }

// NotAfter returns when the certificate ends, as its issuer decided: with its
// leaf, or with an intermediate that ends before.
func (c *Certificate) NotAfter() time.Time { return c.notAfter }

// ChainPEM returns the leaf and its intermediates as PEM.
func (c *Certificate) ChainPEM() []byte { return bytes.Clone(c.chainPEM) }

// KeyPEM returns the private key as PKCS #8 PEM.
func (c *Certificate) KeyPEM() []byte { return bytes.Clone(c.keyPEM) }

// TLS returns the certificate for crypto/tls, parsed anew.
func (c *Certificate) TLS() *tls.Certificate {
	pair, err := tls.X509KeyPair(c.chainPEM, c.keyPEM)
	if err != nil {
		// Both were encoded from what had been parsed and matched.
		panic(fmt.Sprintf("issuer: a certificate does not decode: %v", err))
	}
	return &pair
}

// Leaf returns the certificate itself, parsed anew.
func (c *Certificate) Leaf() *x509.Certificate { return c.TLS().Leaf }

// String names the certificate; it keeps the key out of whatever is printed.
func (c *Certificate) String() string {
	leaf := c.Leaf()
	return fmt.Sprintf("certificate %s of %s until %s", leaf.SerialNumber.Text(16), leaf.Subject, c.NotAfter())
}

// LogValue keeps the key out of every log.
func (c *Certificate) LogValue() slog.Value {
	leaf := c.Leaf()
	return slog.GroupValue(
		slog.String("subject", leaf.Subject.String()),
		slog.String("serial", leaf.SerialNumber.Text(16)),
		slog.Time("notAfter", c.NotAfter()),
	)
}
