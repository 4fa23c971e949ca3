package rotation

import (
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Step is how far the replacement of a root has come.
type Step string

// The steps, in their order.
const (
	// Idle: no root is being replaced.
	Idle Step = ""
	// Distribute: a new root is trusted, and signs nothing before every proxy
	// trusts it.
	Distribute Step = "distribute"
	// Sign: the new root signs, and certificates of the former are replaced.
	Sign Step = "sign"
	// Retire: no certificate of the former root is in use any more, and it stays
	// trusted as long as one could.
	Retire Step = "retire"
)

// State is which roots are trusted, which of them may sign, and until when each
// stays. The zero State trusts none. It does not change.
type State struct {
	bundle  trustbundle.TrustBundle
	step    Step
	since   time.Time        // when the step began
	stages  map[string]stage // by fingerprint, one for each root of the bundle
	signing []string         // fingerprints of the roots of the authority that signs
}

// stage is how far a root has come. Times are in whole seconds, as they are
// recorded.
type stage struct {
	Source      string    `json:"source,omitempty"` // the authority that it belongs to
	Distributed time.Time `json:"distributed,omitzero"`
	Cleared     time.Time `json:"cleared,omitzero"` // to sign; zero before
	Until       time.Time `json:"until,omitzero"`   // when it is dropped; zero if it stays
}

// Bundle returns the trusted roots.
func (s State) Bundle() trustbundle.TrustBundle { return s.bundle }

// Step returns how far the replacement of a root has come, and since when.
func (s State) Step() (Step, time.Time) { return s.step, s.since }

// Current returns the roots that are trusted for good: not those that have been
// replaced.
func (s State) Current() trustbundle.TrustBundle {
	return s.those(func(_ string, g stage) bool { return g.Until.IsZero() })
}

// Distributing returns the roots that must not sign yet.
func (s State) Distributing() trustbundle.TrustBundle {
	return s.those(func(_ string, g stage) bool { return g.Cleared.IsZero() && g.Until.IsZero() })
}

// Signing returns the roots of the authority that signs.
func (s State) Signing() trustbundle.TrustBundle {
	return s.those(func(id string, _ stage) bool { return slices.Contains(s.signing, id) })
}

// SigningSince returns when the last of the roots that sign was cleared to.
func (s State) SigningSince() (since time.Time) {
	for _, id := range s.signing {
		if g := s.stages[id]; g.Cleared.After(since) {
			since = g.Cleared
		}
	}
	return since
}

// Source returns the name of the authority that a root was recorded for.
func (s State) Source(root *x509.Certificate) string {
	return s.stages[trustbundle.Fingerprint(root)].Source
}

// Until returns when a root is dropped that has been replaced; zero if it stays.
func (s State) Until(root *x509.Certificate) time.Time {
	return s.stages[trustbundle.Fingerprint(root)].Until
}

// Waiting returns the wanted roots that are not trusted, since there is no room
// for them before others are dropped.
func (s State) Waiting(w Wanted) trustbundle.TrustBundle {
	var roots []*x509.Certificate
	for _, name := range w.inOrder() {
		for _, root := range w.Trusted[name].Roots() {
			if _, trusted := s.stages[trustbundle.Fingerprint(root)]; !trusted {
				roots = append(roots, root)
			}
		}
	}
	return trustbundle.New(roots...)
}

// NextDropped returns when the next root is dropped that has been replaced; zero
// if none was.
func (s State) NextDropped() (next time.Time) {
	for _, g := range s.stages {
		if !g.Until.IsZero() && (next.IsZero() || g.Until.Before(next)) {
			next = g.Until
		}
	}
	return next
}

// MaySign reports whether certificates of these roots, that end by then, are
// accepted by all proxies as long as they live.
func (s State) MaySign(roots trustbundle.TrustBundle, notAfter time.Time) bool {
	for _, root := range roots.Roots() {
		g, trusted := s.stages[trustbundle.Fingerprint(root)]
		if !trusted || g.Cleared.IsZero() || !g.Until.IsZero() && g.Until.Before(notAfter) {
			return false
		}
	}
	return !roots.IsEmpty()
}

func (s State) those(match func(string, stage) bool) trustbundle.TrustBundle {
	var roots []*x509.Certificate
	for _, root := range s.bundle.Roots() {
		if id := trustbundle.Fingerprint(root); match(id, s.stages[id]) {
			roots = append(roots, root)
		}
	}
	return trustbundle.New(roots...)
}

// Equal reports whether both say the same.
func (s State) Equal(other State) bool {
	return s.bundle.Equal(other.bundle) && s.step == other.step && s.since.Equal(other.since) &&
		slices.Equal(s.signing, other.signing) && maps.EqualFunc(s.stages, other.stages, stage.equal)
}

func (g stage) equal(other stage) bool {
	return g.Source == other.Source && g.Distributed.Equal(other.Distributed) && g.Cleared.Equal(other.Cleared) && g.Until.Equal(other.Until)
}

// Deadline returns when the last of the roots that are distributed may sign,
// acknowledged or not; zero if none is.
func (s State) Deadline(ackTimeout time.Duration) (deadline time.Time) {
	for _, root := range s.Distributing().Roots() {
		if end := s.stages[trustbundle.Fingerprint(root)].Distributed.Add(ackTimeout); end.After(deadline) {
			deadline = end
		}
	}
	return deadline
}
