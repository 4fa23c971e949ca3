package issuer

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ClockSkew is how far clocks of the mesh may be apart: certificates are valid
// from this long before they are made.
const ClockSkew = 5 * time.Minute

// emptyName is the DER of a name without attributes.
var emptyName = []byte{0x30, 0x00}

// CheckRoot refuses a certificate that cannot be a mesh's root at the given
// time: one that [CheckAuthority] refuses for another reason than its signature,
// that has no subject, is not signed by itself, or not valid then. [CheckNames]
// tells what it may certify.
func CheckRoot(root *x509.Certificate, now time.Time) error {
	if err := checkCA(root); err != nil {
		return err
	}
	switch {
	case bytes.Equal(root.RawSubject, emptyName):
		return errors.New("the certificate has no subject, by which peers find it (RFC 5280, section 4.1.2.6): make a root with one")
	case !bytes.Equal(root.RawSubject, root.RawIssuer):
		return fmt.Errorf("the certificate is not a root: it is issued by %q", root.Issuer)
	case !SelfSigned(root):
		return errors.New("the certificate is not a root: it has its own name as its issuer's, and another key signed it")
	case !namesItself(root):
		return errors.New("the certificate's authority key identifier is not its own key's, so that OpenSSL takes it for another's: make a root without one")
	case now.Add(ClockSkew).Before(root.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", root.NotBefore.UTC())
	case !now.Before(root.NotAfter):
		return fmt.Errorf("the certificate expired at %s", root.NotAfter.UTC())
	}
	return nil
}
