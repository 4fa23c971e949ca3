package rotation

import (
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

func TestAReplicaSignsWithTheFirstCandidateThatMay(t *testing.T) {
	tests := map[string]struct {
		script     string
		candidates []string // the one that should sign first
		lives      time.Duration
		trusted    string
		signer     int
		lags       bool
	}{
		"nothing is recorded": {script: "", candidates: []string{"a"}, signer: -1},
		"no candidate":        {script: "a", trusted: "a", signer: -1},
		"one that signs":      {script: "a", candidates: []string{"a"}, trusted: "a"},
		"the next is distributed, the former signs":   {script: "a b", candidates: []string{"b", "a"}, trusted: "ab", signer: 1, lags: true},
		"nothing does where the former is gone":       {script: "a b", candidates: []string{"b"}, trusted: "ab", signer: -1},
		"the next is acknowledged":                    {script: "a b ack", candidates: []string{"b", "a"}, trusted: "ab"},
		"the former retires, and no other can":        {script: "a b ack", candidates: []string{"a"}, lives: dayLong, trusted: "ab"},
		"it retires before its certificates would":    {script: "a b ack", candidates: []string{"a"}, lives: dayLong + 2*time.Second, trusted: "ab", signer: -1},
		"the former is dropped":                       {script: "a b ack new +24h1s", candidates: []string{"b", "a"}, trusted: "b"},
		"the former is revoked, the next signs":       {script: "a b -a", candidates: []string{"b", "a"}, trusted: "b"},
		"one authority whose roots are others":        {script: "a b", candidates: []string{"ab", "a"}, trusted: "ab", signer: 1, lags: true},
		"one root of two is not cleared":              {script: "a b", candidates: []string{"ab"}, trusted: "ab", signer: -1},
		"a root that was never recorded":              {script: "a", candidates: []string{"c", "a"}, trusted: "a", signer: 1, lags: true},
		"an authority whose roots are not known":      {script: "a", candidates: []string{"", "a"}, trusted: "a", signer: 1, lags: true},
		"the third of them, if the others may not":    {script: "a b c", candidates: []string{"c", "b", "a"}, trusted: "abc", signer: 2, lags: true},
		"the first of those that may, not the newest": {script: "a ab ack", candidates: []string{"a", "b"}, trusted: "ab"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := newRoots(t, "abc")
			s, now := roots.play(t, test.script)
			var candidates []trustbundle.TrustBundle
			for _, names := range test.candidates {
				var bundle trustbundle.TrustBundle
				if names != "" {
					bundle = roots.bundle(names)
				}
				candidates = append(candidates, bundle)
			}
			p := s.Plan(now.Add(test.lives), candidates...)
			if got := roots.names(p.Bundle); got != test.trusted {
				t.Errorf("trusted are %q, want %q", got, test.trusted)
			}
			if p.Signer != test.signer || p.Lags() != test.lags {
				t.Errorf("candidate %d signs, want %d; it lags: %t", p.Signer, test.signer, p.Lags())
			}
		})
	}
}
