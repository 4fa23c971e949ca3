package trustbundle

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
)

// TrustBundle is an immutable set of root certificates. The zero TrustBundle
// is empty and trusts no root.
type TrustBundle struct {
	roots  []*x509.Certificate // ordered by the SHA-256 of their DER, no two equal
	pem    []byte
	digest string
}

// New returns the set of the given roots.
func New(roots ...*x509.Certificate) TrustBundle {
	type keyed struct {
		sum  [sha256.Size]byte
		root *x509.Certificate
	}
	set := make([]keyed, len(roots))
	for i, root := range roots {
		set[i] = keyed{sha256.Sum256(root.Raw), root}
	}
	slices.SortFunc(set, func(a, b keyed) int { return bytes.Compare(a.sum[:], b.sum[:]) })
	set = slices.CompactFunc(set, func(a, b keyed) bool { return a.sum == b.sum })

	if len(set) == 0 {
		return TrustBundle{}
	}
	var b TrustBundle
	all := sha256.New()
	for _, k := range set {
		b.roots = append(b.roots, k.root)
		all.Write(k.sum[:]) // never fails, says hash.Hash
	}
	b.pem = Encode(b.roots...)
	b.digest = hex.EncodeToString(all.Sum(nil))
	return b
}

// Parse reads the certificates of CAs, as [ParseCertificates] does. It refuses an
// empty bundle, and a certificate that is not a CA's.
func Parse(data []byte) (TrustBundle, error) {
	roots, err := ParseCertificates(data)
	if err != nil {
		return TrustBundle{}, err
	}
	for _, root := range roots {
		if !root.BasicConstraintsValid || !root.IsCA {
			return TrustBundle{}, fmt.Errorf("certificate %q is not a CA certificate", root.Subject)
		}
	}
	return New(roots...), nil
}

// Union returns the roots of both bundles.
func (b TrustBundle) Union(other TrustBundle) TrustBundle {
	return New(slices.Concat(b.roots, other.roots)...)
}

// Equal reports whether both bundles hold the same roots.
func (b TrustBundle) Equal(other TrustBundle) bool { return b.digest == other.digest }

// Contains reports whether the bundle trusts the root.
func (b TrustBundle) Contains(root *x509.Certificate) bool {
	return slices.ContainsFunc(b.roots, root.Equal)
}

// Digest names the set: it is the same for the same roots and differs for
// others, and empty for no roots. It is the hexadecimal SHA-256 of the roots'
// own SHA-256 sums, in the order of Roots.
func (b TrustBundle) Digest() string { return b.digest }

// IsEmpty reports whether the bundle trusts no root.
func (b TrustBundle) IsEmpty() bool { return len(b.roots) == 0 }

// Roots returns the certificates, in an order that depends on them alone.
func (b TrustBundle) Roots() []*x509.Certificate { return slices.Clone(b.roots) }

// PEM returns the certificates as PEM, in the order of Roots.
func (b TrustBundle) PEM() []byte { return bytes.Clone(b.pem) }

// String names the roots.
func (b TrustBundle) String() string {
	names := make([]string, len(b.roots))
	for i, root := range b.roots {
		names[i] = root.Subject.String()
	}
	return fmt.Sprintf("trust bundle of %d %q", len(names), names)
}

// Pool returns a new pool of the roots, for crypto/tls.
func (b TrustBundle) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, root := range b.roots {
		pool.AddCert(root)
	}
	return pool
}
