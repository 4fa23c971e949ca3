package issuer

import (
	"fmt"
	"time"
)

// Health is how the issuer of the root that signs is, as a Manager finds it.
type Health struct {
	// Root is the name of the root, empty before there is one.
	Root string
	// Open says that the issuer fails and is asked only now and then. The other
	// fields are zero unless it is.
	Open bool
	// Since is when it began to fail.
	Since time.Time
	// Err is how it failed last.
	Err error
	// NextAttempt is when it may be asked again.
	NextAttempt time.Time
}

// String says how the issuer is, in words for an operator.
func (h Health) String() string {
	if h.Root == "" {
		return "no root signs"
	}
	if !h.Open {
		return fmt.Sprintf("the issuer of root %q works", h.Root)
	}
	return fmt.Sprintf("the issuer of root %q fails since %s and is asked again at %s: %v",
		h.Root, h.Since.UTC().Format(time.RFC3339), h.NextAttempt.UTC().Format(time.RFC3339), h.Err)
}

// outage is the error of a caller that may not ask an issuer that fails.
type outage struct{ health Health }

func (o *outage) Error() string { return "not asked: " + o.health.String() }

// Unwrap returns how the issuer failed last.
func (o *outage) Unwrap() error { return o.health.Err }

// Health returns how the issuer is of the root that signs.
func (m *Manager) Health() Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health()
}

// HealthChanges returns the channel of how the issuer is, for one who follows:
// whenever it begins to fail and whenever that ends. It holds one, the latest,
// and is never closed.
func (m *Manager) HealthChanges() <-chan Health { return m.changes }

func (m *Manager) health() Health {
	if c := &m.circuit; c.open() {
		return Health{Root: m.signer.Name, Open: true, Since: c.since, Err: c.err, NextAttempt: c.next}
	}
	return Health{Root: m.signer.Name}
}

// announceHealth replaces what lies in the slot. The Manager's lock makes it the
// only sender, so the second send finds room.
func (m *Manager) announceHealth() {
	select {
	case <-m.changes:
	default:
	}
	m.changes <- m.health()
}

// settle takes in how it came out to ask on these terms. Of a root that signs
// no more, nothing is to be known.
func (m *Manager) settle(t terms, out outcome, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.epoch != m.epoch {
		return
	}
	before := m.health()
	m.circuit.note(time.Now(), t.probe, out, err)
	if t.probe {
		m.wakeWorker() // one may have waited for how it comes out
	}
	m.reportHealth(before)
}

// reportHealth announces what changed since.
func (m *Manager) reportHealth(before Health) {
	after := m.health()
	if before.Root != after.Root || before.Open != after.Open {
		m.options.Metrics.health(after)
	}
	if before.Open == after.Open {
		return
	}
	m.announceHealth()
	if after.Open {
		m.options.Logger.Warn("an issuer fails; it is asked rarely until it answers", "root", after.Root, "error", after.Err)
		return
	}
	m.options.Logger.Info("the issuer works", "root", after.Root, "failedSince", before.Since)
}

const (
	// tolerated is how many failures in a row open the circuit: one or two may
	// be a connection's end.
	tolerated = 3

	firstProbe = time.Second
	// lastProbe is how late it may be noticed that an issuer is back. To ask
	// once a minute burdens none, however long it is away.
	lastProbe = time.Minute
)

// circuit is what is known of an issuer's state, from how its answers came out.
// It is closed while the issuer works. When it is open, only one
// probe at a time asks, less and less often, until one is answered. The Manager's lock
// guards it.
type circuit struct {
	failures int       // in a row; when open, only probes add to them
	since    time.Time // when the first of them failed
	err      error     // of the last
	next     time.Time // when the next probe may go
	probing  bool
}

func (c *circuit) open() bool { return c.failures >= tolerated }

// wait returns how long no caller may ask, 0 if one may now. A probe reports its
// result.
func (c *circuit) wait(now time.Time) time.Duration {
	switch {
	case !c.open():
		return 0
	case c.probing:
		return lastProbe
	}
	return max(0, c.next.Sub(now))
}

// admit reports whether the issuer may be asked now, and whether that is a
// probe. An admitted caller reports the result.
func (c *circuit) admit(now time.Time) (probe, admitted bool) {
	if c.wait(now) > 0 {
		return false, false
	}
	c.probing = c.open()
	return c.probing, true
}

// note takes in how an attempt came out that was admitted. What was under way
// when the circuit opened does not put the next probe off.
func (c *circuit) note(now time.Time, probe bool, out outcome, err error) {
	if probe {
		c.probing = false
	}
	switch {
	case out.answered():
		*c = circuit{}
	case out.failed() && (probe || !c.open()):
		c.fail(now, err)
	}
}

func (c *circuit) fail(now time.Time, err error) {
	if c.failures == 0 {
		c.since = now
	}
	c.failures++
	c.err = err
	if c.open() {
		c.next = now.Add(backOff(c.failures-tolerated, firstProbe, lastProbe))
	}
}
