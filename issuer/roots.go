package issuer

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// ErrNoRoot is returned while no root signs.
var ErrNoRoot = errors.New("no root may sign certificates yet")

// Signer is the authority that signs. The zero Signer is none.
type Signer struct {
	// Name is that of the authority in logs and metrics.
	Name string
	// Issuer certifies.
	Issuer Issuer
	// Roots are those that verify what Issuer returns.
	Roots trustbundle.TrustBundle
}

// SetTrust says which roots are trusted, and which authority signs, if any. When
// one of another name or with other roots signs than the last that did, every
// certificate is issued anew, spread over some time; when another bundle is
// trusted, every subscriber is told. Certificates of a root that is not trusted
// any more are not served from then on, and issued anew at once. A signer whose
// issuer fails is asked again at once. It fails, and changes nothing, if the
// bundle is empty or lacks a root of the signer.
func (m *Manager) SetTrust(bundle trustbundle.TrustBundle, signer Signer) error {
	if err := signer.check(bundle); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	retrust := !m.bundle.Equal(bundle)
	m.bundle = bundle
	before := m.epoch
	askNow := m.replaceSigner(signer)
	if m.epoch != before {
		m.spreadFrom = time.Now().Round(0)
		m.spreadOver = min(time.Duration(max(0, len(m.entries)-spreadFree))*spreadEach, spreadMost)
	}
	for _, e := range m.entries {
		m.review(e)
		if retrust {
			m.announce(e)
		}
		if askNow && !m.fresh(e) || retrust && !m.valid(e) {
			m.plan(e)
		}
	}
	m.wakeWorker()
	return nil
}

// check wants every root of the signer trusted: no proxy could verify what it
// signs otherwise.
func (s Signer) check(bundle trustbundle.TrustBundle) error {
	switch {
	case bundle.IsEmpty():
		return errors.New("no root is to be trusted")
	case s.Issuer == nil && s.Name != "":
		return fmt.Errorf("signer %q has no issuer", s.Name)
	case s.Issuer != nil && s.Roots.IsEmpty():
		return fmt.Errorf("signer %q has no root: no proxy could verify what it signs", s.Name)
	case !bundle.Union(s.Roots).Equal(bundle):
		return fmt.Errorf("signer %q has a root that is not to be trusted: no proxy could verify what it signs", s.Name)
	}
	return nil
}

const (
	// Certificates are replaced one by one when another root signs, over a time
	// that grows with their number: an issuer that certifies a few hundred in a
	// second is to have room for new pods. The first few are not worth that.
	spreadFree = 50
	spreadEach = 5 * time.Millisecond
	spreadMost = 5 * time.Minute
)

// replaceSigner reports whether there is reason to ask the signer for whatever is
// not fresh: that it is another one, or that what kept it from issuing may be
// fixed.
func (m *Manager) replaceSigner(signer Signer) bool {
	before := m.health()
	idle := m.signer.Issuer == nil
	m.signer = signer
	if signer.Issuer == nil {
		m.circuit = circuit{}
		m.reportHealth(before)
		return false
	}
	another := m.lastName != signer.Name || !m.lastRoots.Equal(signer.Roots)
	m.lastName, m.lastRoots = signer.Name, signer.Roots
	if another {
		m.epoch++
		m.circuit = circuit{}
	}
	m.circuit.next = time.Now()
	m.reportHealth(before)
	return another || idle || before.Open
}

// Bundle returns the roots that verify certificates of the mesh.
func (m *Manager) Bundle() trustbundle.TrustBundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bundle
}

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
