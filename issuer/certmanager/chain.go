package certmanager

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// maxChainBytes bounds what is parsed as a chain: far more than ten
// certificates with RSA keys take.
const maxChainBytes = 64 << 10

// verify parses what cert-manager signed, and returns the leaf and the
// intermediates that lead to one of the roots, without the root.
func verify(signed []byte, roots trustbundle.TrustBundle, now time.Time) ([]*x509.Certificate, error) {
	if len(signed) > maxChainBytes {
		return nil, fmt.Errorf("cert-manager returned a chain of %d bytes, which is more than %d", len(signed), maxChainBytes)
	}
	certificates, err := trustbundle.ParseCertificates(signed)
	if err != nil {
		return nil, fmt.Errorf("parse the chain that cert-manager returned: %w", err)
	}
	leaf, intermediates := certificates[0], x509.NewCertPool()
	for _, c := range certificates[1:] {
		intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots.Pool(),
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // the Manager looks at them
		CurrentTime:   issuer.VerifyTime(leaf, now),
	})
	if err != nil {
		return nil, notTrusted(certificates, roots, err)
	}
	// The shortest: the others are not needed.
	chain := slices.MinFunc(chains, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	return chain[:len(chain)-1], nil
}

func notTrusted(certificates []*x509.Certificate, roots trustbundle.TrustBundle, err error) error {
	last := certificates[len(certificates)-1]
	names := make([]string, len(roots.Roots()))
	for i, root := range roots.Roots() {
		names[i] = root.Subject.String()
	}
	return &Error{
		Reason:  NotTrusted,
		Problem: fmt.Sprintf("the certificate that cert-manager returned was issued by %q, and trusted is %q", last.Issuer, names),
		Fix:     "put the root that the issuer's chain ends with into ca.crt, or choose the issuer that belongs to it",
		cause:   err,
	}
}
