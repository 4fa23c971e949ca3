package issuer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// Options configures a Manager.
type Options struct {
	// TTL is the lifetime that certificates are asked for; 24 hours when zero.
	// Configure changes it.
	TTL time.Duration
	// KeyAlgorithm is that of new keys; DefaultKeyAlgorithm when empty.
	// Configure changes it.
	KeyAlgorithm KeyAlgorithm
	// Concurrency bounds how many certificates are issued at once in the
	// background; 4 when zero.
	Concurrency int
	// Linger is how long a certificate without subscribers is kept, so
	// that one that comes back finds it; one minute when zero.
	Linger time.Duration
	// LongestSleep bounds how late a renewal is after the machine was suspended:
	// timers follow the monotonic clock, which stands still then, and
	// certificates end by the wall clock. 30 seconds when zero.
	LongestSleep time.Duration
	// ClockSkew is how far clocks of the mesh may be apart: for that long from its
	// begin a certificate is held back that replaces another which is valid. None
	// is when zero.
	ClockSkew time.Duration
	// Metrics counts what is issued; nothing is counted when nil.
	Metrics *Metrics
	// Logger gets what went wrong in the background; slog.Default when nil.
	Logger *slog.Logger
}

// Manager is the certificate manager: it issues a certificate for each identity
// in use, shares it among all subscribers, and renews it in time. It is
// safe for concurrent use.
type Manager struct {
	options Options
	wake    chan struct{} // one slot: a worker is to look at the queue
	changes chan Health   // one slot

	mu           sync.Mutex
	ttl          time.Duration
	keyAlgorithm KeyAlgorithm
	signing      Root        // without an issuer while none signs
	lastSigner   string      // the name of the last root that signed
	trusted      TrustBundle // of that one
	bundle       TrustBundle // of all roots
	epoch        uint64      // grows whenever another root signs
	spreadFrom   time.Time   // when it did, by the wall clock
	spreadOver   time.Duration
	confirmed    time.Time // when the roots were last known to be right, by the wall clock
	circuit      circuit   // of the signing root
	version      uint64    // of the last Update
	entries      map[identity.Identity]*entry
	queue        queue // of those entries that no worker looks at
	handovers    queue // of those whose next certificate is held back
	issuing      map[identity.Identity]*issuance
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
	if o.LongestSleep == 0 {
		o.LongestSleep = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Manager{
		options:      o,
		wake:         make(chan struct{}, 1),
		changes:      make(chan Health, 1),
		ttl:          o.TTL,
		keyAlgorithm: o.KeyAlgorithm,
		entries:      map[identity.Identity]*entry{},
		issuing:      map[identity.Identity]*issuance{},
	}
}

// Run issues and renews certificates until ctx ends, and waits for those under
// way.
func (m *Manager) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for range m.options.Concurrency {
		workers.Go(func() { m.work(ctx) })
	}
	workers.Wait()
	return nil
}

// IssueCertificate returns the identity's certificate and issues it first if
// there is none. Callers that ask at the same time share one issuance. While the
// issuer fails (see Health), they are told so at once.
func (m *Manager) IssueCertificate(ctx context.Context, id identity.Identity) (*Certificate, error) {
	return m.issueOnce(ctx, id, inTime, func() (*Certificate, bool) { return m.current(id) })
}

// GetCertificate returns the identity's certificate if there is one and it has
// not ended.
func (m *Manager) GetCertificate(id identity.Identity) (*Certificate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current(id)
}

func (m *Manager) current(id identity.Identity) (*Certificate, bool) {
	e := m.entries[id]
	if e == nil {
		return nil, false
	}
	if m.review(e); !m.valid(e) {
		return nil, false
	}
	return e.certificate, true
}

// RotateCertificate replaces the identity's certificate with a new one and
// announces it at once. The old one stays in use if that fails.
func (m *Manager) RotateCertificate(ctx context.Context, id identity.Identity) (*Certificate, error) {
	return m.issueOnce(ctx, id, atOnce, func() (*Certificate, bool) { return nil, false })
}
