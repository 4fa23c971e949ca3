package issuer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
)

// ErrNoRoot is returned while no root has been set.
var ErrNoRoot = errors.New("no root to issue certificates with yet")

// Options configures a Manager.
type Options struct {
	// TTL is the lifetime that certificates are asked for; 24 hours when zero.
	TTL time.Duration
	// KeyAlgorithm is that of new keys; DefaultKeyAlgorithm when empty.
	KeyAlgorithm KeyAlgorithm
	// Concurrency bounds how many certificates are issued at once in the
	// background; 4 when zero.
	Concurrency int
	// Linger is how long a certificate is kept after its last subscriber left,
	// so that one who comes back finds it; one minute when zero.
	Linger time.Duration
	// Metrics counts what is issued; nothing is counted when nil.
	Metrics *Metrics
	// Logger gets what went wrong in the background; slog.Default when nil.
	Logger *slog.Logger
}

// Manager is the certificate manager: it issues a certificate for each identity
// that somebody uses, shares it among all who do, and renews it in time. It is
// safe for concurrent use.
type Manager struct {
	options Options
	issuing singleflight.Group
	due     *queue

	mu      sync.Mutex
	signing Root
	bundle  TrustBundle
	epoch   uint64 // grows whenever another root signs
	version uint64 // of the last Update
	entries map[Identity]*entry
}

// NewManager returns a Manager that has no root yet: see SetRoots. Certificates
// are issued and renewed in the background only while Run runs.
func NewManager(o Options) *Manager {
	if o.TTL == 0 {
		o.TTL = 24 * time.Hour
	}
	if o.KeyAlgorithm == "" {
		o.KeyAlgorithm = DefaultKeyAlgorithm
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.Linger == 0 {
		o.Linger = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Manager{options: o, due: newQueue(), entries: map[Identity]*entry{}}
}

// Run issues and renews certificates until ctx ends, and waits for those under
// way.
func (m *Manager) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range m.options.Concurrency {
		group.Go(func() error {
			for {
				id, err := m.due.next(ctx)
				if err != nil {
					return nil // ctx ended, and that is how Run is told to
				}
				m.refresh(ctx, id)
			}
		})
	}
	defer m.stopTimers()
	return group.Wait()
}

// SetRoots says which roots are trusted, and which of them signs: exactly one
// is Active. When another root signs than before, every certificate is issued
// anew; when another set is trusted, every subscriber is told.
func (m *Manager) SetRoots(ctx context.Context, roots ...Root) error {
	var signing []Root
	var bundle TrustBundle
	for _, root := range roots {
		trusted, err := root.Issuer.Roots(ctx)
		if err != nil {
			return fmt.Errorf("read the certificates of root %s: %w", root.Name, err)
		}
		bundle = bundle.Union(trusted)
		if root.Role == Active {
			signing = append(signing, root)
		}
	}
	if len(signing) != 1 {
		return fmt.Errorf("%d roots are active, exactly one must be", len(signing))
	}
	m.replaceRoots(signing[0], bundle)
	return nil
}

func (m *Manager) replaceRoots(signing Root, bundle TrustBundle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	resign := m.signing.Issuer != signing.Issuer
	retrust := !m.bundle.Equal(bundle)
	m.signing, m.bundle = signing, bundle
	if resign {
		m.epoch++
	}
	for id, e := range m.entries {
		if retrust {
			m.announce(e)
		}
		if resign {
			m.due.add(id)
		}
	}
}

// Bundle returns the roots that verify certificates of the mesh.
func (m *Manager) Bundle() TrustBundle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bundle
}

// IssueCertificate returns the identity's certificate and issues it first if
// there is none. Callers that ask at the same time share one issuance.
func (m *Manager) IssueCertificate(ctx context.Context, id Identity) (*Certificate, error) {
	if cert, ok := m.GetCertificate(id); ok {
		return cert, nil
	}
	return m.issueOnce(ctx, id)
}

// GetCertificate returns the identity's certificate if there is one and it has
// not ended.
func (m *Manager) GetCertificate(id Identity) (*Certificate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil || !e.valid() {
		return nil, false
	}
	return e.certificate, true
}

// RotateCertificate replaces the identity's certificate with a new one and
// announces it. The old one stays in use if that fails.
func (m *Manager) RotateCertificate(ctx context.Context, id Identity) (*Certificate, error) {
	return m.issueOnce(ctx, id)
}

// Subscribe announces the identity's certificate, the current one at once and
// otherwise the first that can be issued, and every later one. The caller
// closes the subscription.
func (m *Manager) Subscribe(id Identity) *Subscription {
	s := &Subscription{manager: m, identity: id, updates: make(chan Update, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		e = m.newEntry(id)
	}
	e.subscriptions[s] = struct{}{}
	first := len(e.subscriptions) == 1
	if e.valid() {
		s.announce(m.update(e))
		if first {
			m.schedule(e, time.Until(e.renewAt))
		}
	} else if first {
		m.due.add(id)
	}
	return s
}

func (m *Manager) unsubscribe(s *Subscription) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[s.identity]
	if e == nil {
		return
	}
	delete(e.subscriptions, s)
	if len(e.subscriptions) == 0 {
		m.schedule(e, m.options.Linger)
	}
}

// Pending counts the subscriptions that have not acknowledged the latest
// Update they were sent.
func (m *Manager) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.entries {
		for s := range e.subscriptions {
			if s.Acked() < e.version {
				n++
			}
		}
	}
	return n
}
