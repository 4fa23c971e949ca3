package rotation

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/osm-edge/osm/issuer"
)

// root is a root certificate, as announcements name it.
type root struct{ certificate *x509.Certificate }

// String tells roots of one subject apart.
func (r root) String() string {
	return fmt.Sprintf("%s (SHA-256 %s)", r.certificate.Subject, r.fingerprint()[:16])
}

func (r root) fingerprint() string {
	sum := sha256.Sum256(r.certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// added returns the roots that are in the second bundle alone.
func added(before, after issuer.TrustBundle) (all []root) {
	for _, certificate := range after.Roots() {
		if !slices.ContainsFunc(before.Roots(), certificate.Equal) {
			all = append(all, root{certificate})
		}
	}
	return all
}
