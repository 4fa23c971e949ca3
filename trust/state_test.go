package trust

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/tresor"
)

const overlap = 24 * time.Hour

// noon is a whole second, so that what is recorded is what is computed.
var noon = time.Now().UTC().Truncate(time.Second)

func TestNextKeepsWhatCertificatesCanStillNeed(t *testing.T) {
	type step struct {
		at      time.Duration // after noon
		current string
	}
	tests := map[string]struct {
		steps    []step
		trusted  string
		retiring map[string]time.Duration // after noon
	}{
		"the first root is trusted":        {[]step{{0, "a"}}, "a", nil},
		"two roots can be current":         {[]step{{0, "ab"}}, "ab", nil},
		"a replaced root stays for a time": {[]step{{0, "a"}, {time.Hour, "b"}}, "ab", map[string]time.Duration{"a": 25*time.Hour + time.Second}},
		"later calls do not move the end": {[]step{{0, "a"}, {time.Hour, "b"}, {2 * time.Hour, "b"}, {20 * time.Hour, "b"}}, "ab",
			map[string]time.Duration{"a": 25*time.Hour + time.Second}},
		"a replaced root is dropped at its end":   {[]step{{0, "a"}, {time.Hour, "b"}, {25*time.Hour + time.Second, "b"}}, "b", nil},
		"and not a second before":                 {[]step{{0, "a"}, {time.Hour, "b"}, {25 * time.Hour, "b"}}, "ab", map[string]time.Duration{"a": 25*time.Hour + time.Second}},
		"each replaced root has its own end":      {[]step{{0, "a"}, {time.Hour, "b"}, {2 * time.Hour, "c"}}, "abc", map[string]time.Duration{"a": 25*time.Hour + time.Second, "b": 26*time.Hour + time.Second}},
		"a root that is current again stays":      {[]step{{0, "a"}, {time.Hour, "b"}, {2 * time.Hour, "a"}}, "ab", map[string]time.Duration{"b": 26*time.Hour + time.Second}},
		"and has its whole time when it is not":   {[]step{{0, "a"}, {time.Hour, "b"}, {2 * time.Hour, "a"}, {20 * time.Hour, "b"}}, "ab", map[string]time.Duration{"a": 44*time.Hour + time.Second}},
		"an expired root is dropped":              {[]step{{0, "a"}, {tresor.RootValidity + time.Hour, "b"}}, "b", nil},
		"a root expires while it retires":         {[]step{{0, "a"}, {tresor.RootValidity - time.Hour, "b"}, {tresor.RootValidity + time.Minute, "b"}}, "b", nil},
		"no root is current while one is awaited": {[]step{{0, "a"}, {time.Hour, ""}}, "a", map[string]time.Duration{"a": 25*time.Hour + time.Second}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := newRoots(t, "abc")
			var state State
			for _, step := range test.steps {
				state = state.Next(roots.bundle(step.current), noon.Add(step.at), overlap)
			}
			if got := roots.names(state.Bundle()); got != test.trusted {
				t.Errorf("trusted are %s, want %s", got, test.trusted)
			}
			for _, root := range state.Current().Roots() {
				if _, retires := state.retiring[fingerprint(root)]; retires {
					t.Errorf("%s is current and retires", root.Subject)
				}
			}
			if got, want := len(state.Current().Roots()), len(test.trusted)-len(test.retiring); got != want {
				t.Errorf("%d roots are current, want %d", got, want)
			}
			if got := roots.retiring(state, noon); !maps.Equal(got, test.retiring) {
				t.Errorf("retiring are %v, want %v", got, test.retiring)
			}
		})
	}
}

// TestNextHoldsItsPromisesForAnyHistory replays random rotations beside a plain
// account of when each root was last current.
func TestNextHoldsItsPromisesForAnyHistory(t *testing.T) {
	roots := newRoots(t, "abcd")
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		var state State
		var before string
		now, replaced := noon, map[string]time.Time{}
		for range 30 {
			now = now.Add(time.Duration(random.Int64N(int64(15 * time.Hour))))
			current := string("abcd"[random.IntN(4)])
			if before != "" && before != current {
				replaced[before] = now
			}
			delete(replaced, current)
			before = current

			next := state.Next(roots.bundle(current), now, overlap)
			mustKeepPromises(t, roots, next, current, replaced, now)
			if again := next.Next(roots.bundle(current), now, overlap); !same(again, next) {
				t.Fatalf("seed %d: the same step twice is not the same", seed)
			}
			state = recorded(t, next)
			if !same(state, next) {
				t.Fatalf("seed %d: another state was recorded", seed)
			}
		}
	}
}

func mustKeepPromises(t *testing.T, roots letters, state State, current string, replaced map[string]time.Time, now time.Time) {
	t.Helper()
	trusted := roots.names(state.Bundle())
	if !strings.Contains(trusted, current) {
		t.Fatalf("the current root %s is not trusted, but %s", current, trusted)
	}
	for name, since := range replaced {
		age, is := now.Sub(since), strings.Contains(trusted, name)
		if age < overlap && !is {
			t.Fatalf("root %s was replaced %s ago, and is not trusted", name, age)
		}
		if age > overlap+time.Second && is {
			t.Fatalf("root %s was replaced %s ago, and is trusted still", name, age)
		}
	}
}

func TestNextLeavesTheStateItStartsFromAlone(t *testing.T) {
	roots := newRoots(t, "ab")
	state := State{}.Next(roots.bundle("a"), noon, overlap).Next(roots.bundle("b"), noon, overlap)
	before := recorded(t, state)
	state.Next(roots.bundle("a"), noon.Add(time.Hour), overlap)
	if !same(state, before) {
		t.Error("it changed")
	}
}

func TestARootIsNotDroppedEarlyForBeingRecordedInSeconds(t *testing.T) {
	roots := newRoots(t, "ab")
	now := noon.Add(700 * time.Millisecond)
	state := State{}.Next(roots.bundle("a"), now, time.Second).Next(roots.bundle("b"), now, time.Second)
	if got := roots.names(recorded(t, state).Next(roots.bundle("b"), now.Add(999*time.Millisecond), time.Second).Bundle()); got != "ab" {
		t.Errorf("before a second is over, trusted are %s", got)
	}
}

func TestAMalformedRecordIsRefusedByItsKey(t *testing.T) {
	roots := newRoots(t, "a")
	whole := string(roots.bundle("a").PEM())
	tests := map[string]struct {
		data map[string]string
		want string
	}{
		"a bundle of garbage":        {map[string]string{BundleKey: "garbage"}, `key "ca.crt"`},
		"a bundle that is cut off":   {map[string]string{BundleKey: whole[:100]}, `key "ca.crt"`},
		"text beside the bundle":     {map[string]string{BundleKey: whole + "and more"}, `key "ca.crt"`},
		"ends that are not JSON":     {map[string]string{BundleKey: whole, retiringKey: "tomorrow"}, `key "retiring.json"`},
		"ends that are a list":       {map[string]string{BundleKey: whole, retiringKey: "[]"}, `key "retiring.json"`},
		"an end that is not RFC3339": {map[string]string{BundleKey: whole, retiringKey: `{"aa":"tomorrow"}`}, `key "retiring.json"`},
		"two objects":                {map[string]string{BundleKey: whole, retiringKey: `{}{}`}, `key "retiring.json"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseState(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}

func TestTheEndOfARootThatIsNotTrustedMeansNothing(t *testing.T) {
	roots := newRoots(t, "a")
	state, err := parseState(map[string]string{
		BundleKey:   string(roots.bundle("a").PEM()),
		retiringKey: `{"` + strings.Repeat("0", 64) + `":"2020-01-01T00:00:00Z"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	next := state.Next(roots.bundle("a"), noon, overlap)
	if len(next.retiring) > 0 || roots.names(next.Bundle()) != "a" {
		t.Errorf("trusted are %s, retiring %v", roots.names(next.Bundle()), next.retiring)
	}
}

// recorded returns the state as another process reads it.
func recorded(t *testing.T, s State) State {
	t.Helper()
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := parseState(data)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func same(a, b State) bool {
	return a.Bundle().Equal(b.Bundle()) && maps.EqualFunc(a.retiring, b.retiring, time.Time.Equal)
}

func TestACopyHoldsTheRootsAloneWhateverIsRetiring(t *testing.T) {
	roots, now := newRoots(t, "ab"), time.Now()
	state := State{}.Next(roots.bundle("a"), now, overlap).Next(roots.bundle("b"), now, overlap)
	if got := state.Copy(); len(got) != 1 || got[BundleKey] != string(state.Bundle().PEM()) || roots.names(state.Bundle()) != "ab" {
		t.Errorf("the copy of %s has %d keys", roots.names(state.Bundle()), len(got))
	}
}
