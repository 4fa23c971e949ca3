package issuer

import "time"

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
