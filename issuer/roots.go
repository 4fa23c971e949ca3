package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNoRoot is returned while no root has been set.
var ErrNoRoot = errors.New("no root to issue certificates with yet")

// SetRoots says which roots are trusted, and which of them signs: exactly one
// is Active. When a root of another name or with other certificates signs than
// before, every certificate is issued anew; when another set is trusted, every
// subscriber is told. A signing root whose issuer fails is asked again at once.
// Nothing changes when it fails.
func (m *Manager) SetRoots(ctx context.Context, roots ...Root) error {
	var signing Root
	var trusted, bundle TrustBundle
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
	if active != 1 {
		return fmt.Errorf("%d roots are active, exactly one must be", active)
	}
	m.replaceRoots(signing, trusted, bundle)
	return nil
}

func (r Root) certificates(ctx context.Context) (TrustBundle, error) {
	if r.Issuer == nil {
		return TrustBundle{}, fmt.Errorf("root %q has no issuer", r.Name)
	}
	bundle, err := r.Issuer.Roots(ctx)
	if err != nil {
		return TrustBundle{}, fmt.Errorf("read the certificates of root %q: %w", r.Name, err)
	}
	if bundle.IsEmpty() {
		return TrustBundle{}, fmt.Errorf("root %q has no certificate: nobody could verify what it signs", r.Name)
	}
	return bundle, nil
}

func (m *Manager) replaceRoots(signing Root, trusted, bundle TrustBundle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	retrust := !m.bundle.Equal(bundle)
	m.bundle = bundle
	askNow := m.replaceSigner(signing, trusted)
	for _, e := range m.entries {
		if retrust {
			m.announce(e)
		}
		if askNow && !m.fresh(e) {
			m.plan(e)
		}
	}
	m.wakeWorker()
}

// replaceSigner reports whether there is reason to ask the signing root for
// whatever is not fresh: that it is another one, or that what kept it from
// issuing may be mended.
func (m *Manager) replaceSigner(signing Root, trusted TrustBundle) bool {
	before := m.health()
	another := m.signing.Name != signing.Name || !m.trusted.Equal(trusted)
	m.signing, m.trusted = signing, trusted
	if another {
		m.epoch++
		m.circuit = circuit{}
	}
	m.circuit.next = time.Now()
	m.reportHealth(before)
	return another || before.Open
}

// Bundle returns the roots that verify certificates of the mesh.
func (m *Manager) Bundle() TrustBundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bundle
}
