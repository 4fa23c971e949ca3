package issuer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ClockSkew is how far clocks of the mesh may be apart: certificates are valid
// from this long before they are made.
const ClockSkew = 5 * time.Minute

// CheckRoot refuses a certificate that cannot be a mesh's root at the given
// time: one that is not a CA's (RFC 5280, sections 4.2.1.9 and 4.2.1.3), not
// signed by itself, or not valid then.
func CheckRoot(root *x509.Certificate, now time.Time) error {
	switch {
	case !root.BasicConstraintsValid || !root.IsCA:
		return errors.New("the certificate is not a CA certificate")
	case root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("the certificate's key usage does not allow it to sign certificates")
	case root.CheckSignatureFrom(root) != nil:
		return fmt.Errorf("the certificate is not a root: it is issued by %q", root.Issuer)
	case now.Add(ClockSkew).Before(root.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", root.NotBefore.UTC())
	case !now.Before(root.NotAfter):
		return fmt.Errorf("the certificate expired at %s", root.NotAfter.UTC())
	}
	return nil
}
