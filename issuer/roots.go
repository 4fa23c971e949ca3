package issuer

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoRoot is returned while no root has been set.
var ErrNoRoot = errors.New("no root to issue certificates with yet")

// SetRoots says which roots are trusted, and which of them signs: exactly one
// is Active. When a root of another name or with other certificates signs than
// before, every certificate is issued anew; when another set is trusted, every
// subscriber is told. Nothing changes when it fails.
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
	resign := m.signing.Name != signing.Name || !m.trusted.Equal(trusted)
	retrust := !m.bundle.Equal(bundle)
	m.signing, m.trusted, m.bundle = signing, trusted, bundle
	if resign {
		m.epoch++
	}
	for _, e := range m.entries {
		if retrust {
			m.announce(e)
		}
		if resign {
			m.plan(e)
		}
	}
}

// Bundle returns the roots that verify certificates of the mesh.
func (m *Manager) Bundle() TrustBundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bundle
}

// signer returns the root that signs, and its epoch.
func (m *Manager) signer() (Root, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.signing, m.epoch
}
