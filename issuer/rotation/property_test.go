package rotation

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// life is a certificate of a proxy in a history.
type life struct {
	root     string
	notAfter time.Time
}

// history plays random events on a State beside a plain account of what proxies
// have.
type history struct {
	random *rand.Rand
	roots  letters
	state  State
	wanted Wanted
	now    time.Time
	leaves []life
	acked  trustbundle.TrustBundle // by every proxy
}

// TestNoHistoryLeadsToACertificateThatAProxyDoesNotAccept replays ten years of
// rotations, in any order of events, each state being what a process that was
// killed finds.
func TestNoHistoryLeadsToACertificateThatAProxyDoesNotAccept(t *testing.T) {
	const letters = "abcdef"
	all := newRoots(t, letters)
	for seed := range uint64(12) {
		h := &history{random: rand.New(rand.NewPCG(seed, 0)), roots: all, now: noon, wanted: all.want("a")}
		h.state = h.state.Next(h.wanted, Situation{Now: h.now, AckTimeout: tenMinutes, RetirementPeriod: dayLong})
		h.acked = h.state.Bundle()
		for range 400 {
			h.event(t, letters)
			h.check(t, seed)
		}
	}
}

func (h *history) event(t *testing.T, letters string) {
	t.Helper()
	n := Situation{AckTimeout: 100 * 365 * 24 * time.Hour, RetirementPeriod: dayLong}
	switch h.random.IntN(5) {
	case 0:
		h.wanted = h.roots.want(string(letters[h.random.IntN(len(letters))]))
	case 1:
		h.acked = h.state.Bundle()
		n.Acknowledged = true
	case 2:
		h.now = h.now.Add(time.Duration(h.random.Int64N(int64(15 * time.Hour))))
	case 3:
		for name, root := range h.roots {
			if h.state.MaySign(trustbundle.New(root), h.now.Add(dayLong)) && h.roots.names(h.state.Signing()) == name {
				h.leaves = append(h.leaves, life{name, h.now.Add(dayLong)})
			}
		}
	case 4: // the same again, as by another replica
	}
	n.Now = h.now
	next := h.state.Next(h.wanted, n)
	if again := next.Next(h.wanted, Situation{Now: h.now, AckTimeout: n.AckTimeout, RetirementPeriod: dayLong}); !again.Equal(next) {
		t.Fatal("the same step twice is not the same")
	}
	h.state = recorded(t, next)
}

func (h *history) check(t *testing.T, seed uint64) {
	t.Helper()
	if len(h.state.Signing().Roots()) != 1 {
		t.Fatalf("seed %d: %d roots sign", seed, len(h.state.Signing().Roots()))
	}
	trusted, acked := h.roots.names(h.state.Bundle()), h.roots.names(h.acked)
	for _, leaf := range h.leaves {
		if h.now.After(leaf.notAfter) {
			continue
		}
		if !strings.Contains(trusted, leaf.root) {
			t.Fatalf("seed %d: a certificate of %s lives, and no one trusts that", seed, leaf.root)
		}
		if !strings.Contains(acked, leaf.root) {
			t.Fatalf("seed %d: a certificate of %s lives, and not everyone has that root", seed, leaf.root)
		}
	}
}
