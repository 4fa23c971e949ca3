package rotation

import (
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Wanted is what a mesh is to come to.
type Wanted struct {
	// Signer is the roots of the authority that is to sign.
	Signer trustbundle.TrustBundle
	// Trusted is all roots to be trusted for good, the signer's too, by the
	// authority's name.
	Trusted map[string]trustbundle.TrustBundle
	// Revoked names issuers whose roots are not trusted any more, from
	// now on.
	Revoked []string
}

// Equal reports whether both ask for the same.
func (w Wanted) Equal(other Wanted) bool {
	return w.Signer.Equal(other.Signer) && slices.Equal(w.Revoked, other.Revoked) &&
		maps.EqualFunc(w.Trusted, other.Trusted, trustbundle.TrustBundle.Equal)
}

// Source returns the name of the authority that a root is wanted for.
func (w Wanted) Source(root *x509.Certificate) string {
	for _, name := range w.inOrder() {
		if slices.Contains(fingerprints(w.Trusted[name]), trustbundle.Fingerprint(root)) {
			return name
		}
	}
	return ""
}

const (
	// MaxRoots is how many roots a mesh trusts at once. A new one beyond that
	// waits until a former one is dropped: every proxy gets all of them, and
	// tries them in each handshake. It does not wait where nothing can be signed
	// without it.
	MaxRoots = 32
	// maxBytes is what their PEM takes: that of as many RSA keys of 4096 bits with
	// long names.
	maxBytes = 96 << 10
	// maxRecordable leaves room within what is read back.
	maxRecordable = trustbundle.MaxBytes * 3 / 4
)

// Situation is what decides on the next step.
type Situation struct {
	Now time.Time
	// Acknowledged says that all proxies trust the whole bundle of the State.
	Acknowledged bool
	// Unsigned says that a replica cannot sign: the key of the root that signs may
	// be gone with its Secret.
	Unsigned bool
	// Reissued says that no proxy uses a certificate of another root than those
	// that sign.
	Reissued bool
	// AckTimeout is how long to wait for proxies that do not acknowledge.
	AckTimeout time.Duration
	// RetirementPeriod is how long a certificate can live that is signed now.
	RetirementPeriod time.Duration
}

// Next returns the state that follows. A new root is trusted at first and signs
// nothing, until all proxies have acknowledged it or ackTimeout ends. When it signs,
// roots that are not wanted any more stay for the retirementPeriod, the time in which a
// certificate of them can live, and are dropped then or when they expire. A root
// waits where MaxRoots are trusted. The first root waits for no proxy; neither does one that replaces
// roots that are not trusted any more.
func (s State) Next(w Wanted, n Situation) State {
	next := s.with(w, n)
	next.revoke(w)
	urgent := next.bereft()
	for id, g := range next.stages {
		if g.Cleared.IsZero() && g.Until.IsZero() && next.cleared(s, id, urgent, n) {
			g.Cleared = wholeSecond(n.Now)
			next.stages[id] = g
		}
	}
	if next.MaySign(w.Signer, n.Now) {
		next.signing = fingerprints(w.Signer)
	}
	next.retire(w, n)
	next.stepFrom(s, n)
	return next
}

// with returns a copy in which all that is wanted is trusted for good, as far as
// there is room for it.
func (s State) with(w Wanted, n Situation) State {
	next := State{bundle: s.bundle, stages: map[string]stage{}, signing: slices.Clone(s.signing)}
	for _, id := range fingerprints(s.bundle) {
		next.stages[id] = s.stages[id]
	}
	for _, name := range w.inOrder() {
		union := next.bundle.Union(w.Trusted[name])
		if !union.Equal(next.bundle) && !next.hasRoom(union, n.Unsigned && w.Trusted[name].Equal(w.Signer)) {
			continue // its roots wait
		}
		next.bundle = union
		for _, id := range fingerprints(w.Trusted[name]) {
			g, known := next.stages[id]
			if !known {
				g.Distributed = wholeSecond(n.Now)
			}
			g.Source, g.Until = name, time.Time{}
			next.stages[id] = g
		}
	}
	return next
}

// inOrder returns the names of the authorities, the one that is to sign first.
func (w Wanted) inOrder() []string {
	return slices.SortedFunc(maps.Keys(w.Trusted), func(a, b string) int {
		if mine, others := w.Trusted[a].Equal(w.Signer), w.Trusted[b].Equal(w.Signer); mine != others {
			return map[bool]int{true: -1, false: 1}[mine]
		}
		return strings.Compare(a, b)
	})
}

// hasRoom reports whether the roots may be distributed. Where none of the roots
// that signed is trusted any more, or a replica cannot sign without them, a mesh
// cannot wait for others to be dropped.
func (s *State) hasRoom(roots trustbundle.TrustBundle, needed bool) bool {
	size := len(roots.PEM())
	return len(roots.Roots()) <= MaxRoots && size <= maxBytes || (needed || s.bereft()) && size <= maxRecordable
}

// revoke drops the roots of revoked authorities, unless nothing else would be
// left to trust.
func (s *State) revoke(w Wanted) {
	wanted := w.roots()
	left := s.those(func(id string, g stage) bool {
		return slices.Contains(wanted, id) || !slices.Contains(w.Revoked, g.Source)
	})
	if !left.IsEmpty() {
		s.keep(left)
	}
}

// bereft reports whether none of the roots that signed is trusted any more.
func (s *State) bereft() bool { return s.Signing().IsEmpty() }

// cleared reports whether a root may sign from now on. Who acknowledged the
// bundle before acknowledged those roots that were in it.
func (s *State) cleared(before State, id string, urgent bool, n Situation) bool {
	g, distributed := before.stages[id]
	return urgent || distributed && (n.Acknowledged || !n.Now.Before(g.Distributed.Add(n.AckTimeout)))
}

// retire sets an end to what is neither wanted nor signs, and drops what is over.
func (s *State) retire(w Wanted, n Situation) {
	wanted := w.roots()
	var left []*x509.Certificate
	for _, root := range s.bundle.Roots() {
		id := trustbundle.Fingerprint(root)
		if slices.Contains(wanted, id) {
			left = append(left, root)
			continue
		}
		g := s.stages[id]
		if g.Until.IsZero() && !slices.Contains(s.signing, id) {
			g.Until = wholeSecond(n.Now.Add(n.RetirementPeriod + time.Second)) // never early
			s.stages[id] = g
		}
		if (g.Until.IsZero() || n.Now.Before(g.Until)) && n.Now.Before(root.NotAfter) {
			left = append(left, root)
		}
	}
	s.keep(trustbundle.New(left...))
}

// keep leaves these roots alone trusted.
func (s *State) keep(left trustbundle.TrustBundle) {
	kept := fingerprints(left)
	for id := range s.stages {
		if !slices.Contains(kept, id) {
			delete(s.stages, id)
		}
	}
	s.signing = slices.DeleteFunc(s.signing, func(id string) bool { return !slices.Contains(kept, id) })
	s.bundle = left
}

// stepFrom sets the step that follows from what the roots have come to.
func (s *State) stepFrom(before State, n Situation) {
	s.step, s.since = before.step, before.since
	retires := len(s.Current().Roots()) < len(s.bundle.Roots())
	switch {
	case !s.Distributing().IsEmpty():
		s.step = Distribute
	case !retires:
		s.step = Idle
	case before.step == Idle || before.step == Distribute || !slices.Equal(s.signing, before.signing):
		s.step = Sign
	case before.step == Sign && n.Reissued:
		s.step = Retire
	}
	if s.step != before.step || s.since.IsZero() {
		s.since = wholeSecond(n.Now)
	}
}

func (w Wanted) roots() (all []string) {
	for _, bundle := range w.Trusted {
		all = append(all, fingerprints(bundle)...)
	}
	return all
}

func fingerprints(bundle trustbundle.TrustBundle) (all []string) {
	for _, root := range bundle.Roots() {
		all = append(all, trustbundle.Fingerprint(root))
	}
	return all
}

// wholeSecond is the time as it is recorded.
func wholeSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
