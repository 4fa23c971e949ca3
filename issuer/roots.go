package issuer

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// ErrNoRoot is returned while no root signs.
var ErrNoRoot = errors.New("no root may sign certificates yet")

// SetRoots says which roots are trusted, and which of them signs: the one that
// is Active, or none. When a root of another name or with other certificates
// signs than the last that did, every certificate is issued anew, spread over
// some time; when another set is trusted, every subscriber is told. Certificates
// of a root that is not trusted any more are not served from then on, and issued
// anew at once. A signing root whose issuer fails is asked again at once. Nothing
// changes when it fails.
func (m *Manager) SetRoots(ctx context.Context, roots ...Root) error {
	var signing Root
	var trusted, bundle trustbundle.TrustBundle
	active := 0
	for _, root := range roots {
		certificates, err := root.certificates(ctx)
		if err != nil {
			return err
		}
		bundle = bundle.Union(certificates)
		if root.Role == Active {
			signing, trusted = root, certificates
			active++
		}
	}
	if bundle.IsEmpty() {
		return errors.New("no root is to be trusted")
	}
	if active > 1 {
		return fmt.Errorf("%d roots are active, one at most can be", active)
	}
	m.replaceRoots(signing, trusted, bundle)
	return nil
}

func (r Root) certificates(ctx context.Context) (trustbundle.TrustBundle, error) {
	if r.Issuer == nil {
		return trustbundle.TrustBundle{}, fmt.Errorf("root %q has no issuer", r.Name)
	}
	bundle, err := r.Issuer.Roots(ctx)
	if err != nil {
		return trustbundle.TrustBundle{}, fmt.Errorf("read the certificates of root %q: %w", r.Name, err)
	}
	if bundle.IsEmpty() {
		return trustbundle.TrustBundle{}, fmt.Errorf("root %q has no certificate: no proxy could verify what it signs", r.Name)
	}
	return bundle, nil
}

func (m *Manager) replaceRoots(signing Root, trusted, bundle trustbundle.TrustBundle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	retrust := !m.bundle.Equal(bundle)
	m.bundle = bundle
	before := m.epoch
	askNow := m.replaceSigner(signing, trusted)
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
}

const (
	// Certificates are replaced one by one when another root signs, over a time
	// that grows with their number: an issuer that certifies a few hundred in a
	// second is to have room for new pods. The first few are not worth that.
	spreadFree = 50
	spreadEach = 5 * time.Millisecond
	spreadMost = 5 * time.Minute
)

// replaceSigner reports whether there is reason to ask the signing root for
// whatever is not fresh: that it is another one, or that what kept it from
// issuing may be fixed.
func (m *Manager) replaceSigner(signing Root, trusted trustbundle.TrustBundle) bool {
	before := m.health()
	idle := m.signing.Issuer == nil
	m.signing = signing
	if signing.Issuer == nil {
		m.circuit = circuit{}
		m.reportHealth(before)
		return false
	}
	another := m.lastSigner != signing.Name || !m.trusted.Equal(trusted)
	m.lastSigner, m.trusted = signing.Name, trusted
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
