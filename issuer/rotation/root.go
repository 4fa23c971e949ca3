package rotation

import (
	"crypto/x509"
	"fmt"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// root is a root certificate, as announcements name it.
type root struct{ certificate *x509.Certificate }

// String tells roots of one subject apart.
func (r root) String() string {
	return fmt.Sprintf("%s (SHA-256 %s)", r.certificate.Subject, trustbundle.Fingerprint(r.certificate)[:16])
}

// added returns the roots that are in the second bundle alone.
func added(before, after trustbundle.TrustBundle) (all []root) {
	for _, certificate := range after.Roots() {
		if !before.Contains(certificate) {
			all = append(all, root{certificate})
		}
	}
	return all
}
