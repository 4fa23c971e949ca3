package issuer

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
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
	signer       Signer                  // zero while none signs
	lastName     string                  // of the last signer
	lastRoots    trustbundle.TrustBundle // of the last signer
	bundle       trustbundle.TrustBundle // of all roots
	epoch        uint64                  // grows whenever another root signs
	spreadFrom   time.Time               // when it did, by the wall clock
	spreadOver   time.Duration
	confirmed    time.Time // when the roots were last known to be right, by the wall clock
	circuit      circuit   // of the signing root
	version      uint64    // of the last Update
	entries      map[identity.Identity]*entry
	queue        queue // of those entries that no worker looks at
	handovers    queue // of those whose next certificate is held back
	issuing      map[identity.Identity]*issuance
}

// NewManager returns a Manager that has no root yet: see SetTrust. Certificates
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

// Configure changes the lifetime and the key algorithm of certificates that are
// issued from now on. Those there are are replaced when they would have been
// anyway, except for those that live longer than the new lifetime: they are
// replaced within a sixth of it, spread as renewals are. Nothing changes when it
// fails.
func (m *Manager) Configure(ttl time.Duration, algorithm KeyAlgorithm) error {
	if ttl <= 0 {
		return fmt.Errorf("a lifetime of %s is not positive", ttl)
	}
	if _, err := ParseKeyAlgorithm(string(algorithm)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shorter := ttl < m.ttl
	m.ttl, m.keyAlgorithm = ttl, algorithm
	if !shorter {
		return nil
	}
	for _, e := range m.entries {
		if m.hasten(e) && len(e.subscriptions) > 0 {
			m.plan(e)
		}
	}
	return nil
}

// KeyAlgorithm returns that of keys that are made now.
func (m *Manager) KeyAlgorithm() KeyAlgorithm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyAlgorithm
}

// hasten has a certificate renewed soon that lives longer than one that is asked
// for now, and reports whether it did. Renewals of a lifetime fall into a sixth
// of it, so that these crowd no more. What is held back is served before that.
func (m *Manager) hasten(e *entry) bool {
	i, now := &e.issued, time.Now().Round(0)
	if e.next != nil {
		i = &e.next.issued
	}
	if i.certificate == nil || i.certificate.NotAfter().Sub(now) <= m.ttl {
		return false
	}
	soon := now.Add(time.Duration(spread(e.identity) * float64(m.ttl) / 6))
	if !soon.Before(i.renewAt) {
		return false
	}
	i.renewAt = soon
	return true
}

// leastShare is the part of a lifetime that certificates get however long ago
// the roots were confirmed: a mesh whose control plane is cut off for days is
// better off with certificates than without.
const leastShare = 4

// Confirm says that the roots were known to be right at that time: no
// root had been replaced. From the first time on, certificates end one
// lifetime after the last time at the latest, though they are not issued for
// less than a quarter of it. So none outlives the trust in a root that was
// replaced unheard, which lasts a lifetime from then on.
func (m *Manager) Confirm(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.confirmed = at.Round(0)
}

// lifetime is what certificates are asked for now.
func (m *Manager) lifetime(now time.Time) time.Duration {
	if m.confirmed.IsZero() {
		return m.ttl
	}
	passed := max(0, now.Round(0).Sub(m.confirmed))
	return max(m.ttl-passed, m.ttl/leastShare)
}

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      identity.Identity
	issued                                   // what is served; zero before the first
	next          *successor                 // what is held back; nil if nothing is
	failures      int                        // in a row
	due           time.Time                  // when Run is to look at it, by the wall clock
	queue         *queue                     // that it is in; nil outside of both
	place         int                        // in the queue
	version       uint64                     // of its latest Update
	subscriptions map[*Subscription]struct{} // nil before the first
}

// issued is a certificate and what is known of it.
type issued struct {
	certificate *Certificate
	root        *x509.Certificate // that it leads to; nil if that is not known
	signer      string            // the name of the root that signed it
	epoch       uint64            // of that root
	renewAt     time.Time         // by the wall clock
}

// valid reports whether the entry's certificate is accepted by those who trust
// the bundle.
func (m *Manager) valid(e *entry) bool { return m.accepts(e.issued) }

func (m *Manager) accepts(i issued) bool {
	return i.certificate != nil && time.Now().Before(i.certificate.NotAfter()) &&
		(i.root == nil || m.bundle.Contains(i.root))
}

// rootOf returns which of the roots a chain leads to that was verified with
// them. Its names and key identifiers say so.
func rootOf(chain []*x509.Certificate, roots trustbundle.TrustBundle) *x509.Certificate {
	last := chain[len(chain)-1]
	for _, root := range roots.Roots() {
		if bytes.Equal(last.RawIssuer, root.RawSubject) &&
			(len(last.AuthorityKeyId) == 0 || len(root.SubjectKeyId) == 0 || bytes.Equal(last.AuthorityKeyId, root.SubjectKeyId)) {
			return root
		}
	}
	return nil
}

// newEntry has a version of its own, so that a subscriber is behind until
// the first Update.
func (m *Manager) newEntry(id identity.Identity) *entry {
	m.version++
	e := &entry{identity: id, version: m.version}
	m.entries[id] = e
	return e
}

// fresh reports whether the entry needs no other certificate yet, or has it
// already.
func (m *Manager) fresh(e *entry) bool {
	return m.valid(e) && (e.next != nil || e.epoch == m.epoch && time.Now().Before(e.renewAt))
}

// plan schedules what is next for the entry: to be given up without
// a subscriber, otherwise a new certificate, at once or when it is time.
func (m *Manager) plan(e *entry) {
	switch {
	case len(e.subscriptions) == 0:
		m.schedule(e, time.Now().Add(m.options.Linger))
	case e.next != nil:
		m.schedule(e, e.next.servedAt)
	case m.fresh(e):
		m.schedule(e, e.renewAt)
	default:
		m.schedule(e, m.replacement(e))
	}
}

// replacement is when a certificate is replaced that is not fresh. One of a root
// that signed before has time, unless it has little left.
func (m *Manager) replacement(e *entry) time.Time {
	now := time.Now()
	if !m.valid(e) || e.epoch == m.epoch || !now.Before(e.renewAt) {
		return now
	}
	return m.spreadFrom.Add(time.Duration(spread(e.identity) * float64(m.spreadOver)))
}
