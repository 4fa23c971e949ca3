package rotation

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	dayLong    = 24 * time.Hour
	tenMinutes = 10 * time.Minute
)

// noon is a whole second, so that what is recorded is what is computed.
var noon = time.Now().UTC().Truncate(time.Second)

// script is what happens to a State, one word each: "a" wants root a to sign,
// "ab" root b to be trusted as well, "-a" revokes it, "ack" acknowledges the
// bundle, "new" replaces the last certificate, "+1h" lets time pass.
func (l letters) play(t *testing.T, script string) (State, time.Time) {
	t.Helper()
	var s State
	var w Wanted
	now := noon
	for _, word := range strings.Fields(script) {
		n := Situation{AckTimeout: tenMinutes, RetirementPeriod: dayLong}
		switch {
		case word[0] == '+':
			d, err := time.ParseDuration(word[1:])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
		case word == "ack":
			n.Acknowledged = true
		case word == "new":
			n.Reissued = true
		case word[0] == '-':
			w.Revoked = append(w.Revoked, word[1:])
		default:
			w = l.want(word)
		}
		n.Now = now
		s = recorded(t, s.Next(w, n))
	}
	return s, now
}

func TestARootIsDistributedBeforeItSignsAndTrustedAsLongAsItsCertificatesLive(t *testing.T) {
	const day = 24*time.Hour + time.Second
	tests := map[string]struct {
		script         string
		trusted, signs string
		step           Step
		retiring       map[string]time.Duration // from the end of the script
		distributing   string
	}{
		"the first root signs at once":         {script: "a", trusted: "a", signs: "a"},
		"so do two":                            {script: "ab", trusted: "ab", signs: "a"},
		"another is trusted first":             {script: "a b", trusted: "ab", signs: "a", step: Distribute, distributing: "b"},
		"and signs when acknowledged":          {script: "a b ack", trusted: "ab", signs: "b", step: Sign, retiring: map[string]time.Duration{"a": day}},
		"the acknowledgement timeout lasts":    {script: "a b +9m59s", trusted: "ab", signs: "a", step: Distribute, distributing: "b"},
		"and ends":                             {script: "a b +10m", trusted: "ab", signs: "b", step: Sign, retiring: map[string]time.Duration{"a": day}},
		"what was acknowledged before is not":  {script: "a ack b", trusted: "ab", signs: "a", step: Distribute, distributing: "b"},
		"the former retires from then on":      {script: "a b +5m ack +1h", trusted: "ab", signs: "b", step: Sign, retiring: map[string]time.Duration{"a": day - time.Hour}},
		"all certificates are replaced":        {script: "a b ack new", trusted: "ab", signs: "b", step: Retire, retiring: map[string]time.Duration{"a": day}},
		"it is dropped at its end":             {script: "a b ack new +24h1s", trusted: "b", signs: "b"},
		"not a second before":                  {script: "a b ack new +24h", trusted: "ab", signs: "b", step: Retire, retiring: map[string]time.Duration{"a": time.Second}},
		"and though some were not replaced":    {script: "a b ack +24h1s", trusted: "b", signs: "b"},
		"passive ones are cleared, too":        {script: "a ab ack ba", trusted: "ab", signs: "b"},
		"back before it signs":                 {script: "a b a", trusted: "ab", signs: "a", step: Sign, retiring: map[string]time.Duration{"b": day}},
		"back after it signs, at once":         {script: "a b ack a", trusted: "ab", signs: "a", step: Sign, retiring: map[string]time.Duration{"b": day}},
		"and then it has its whole time again": {script: "a b ack a +20h b", trusted: "ab", signs: "b", step: Sign, retiring: map[string]time.Duration{"a": day}},
		"a third while one is distributed":     {script: "a b c ack", trusted: "abc", signs: "c", step: Sign, retiring: map[string]time.Duration{"a": day, "b": day}},
		"a third while one retires":            {script: "a b ack new c", trusted: "abc", signs: "b", step: Distribute, distributing: "c", retiring: map[string]time.Duration{"a": day}},
		"a root that is revoked is dropped":    {script: "a b ack -a", trusted: "b", signs: "b"},
		"though it signs, and at once":         {script: "a b -a", trusted: "b", signs: "b"},
		"but the last is not":                  {script: "a -a", trusted: "a", signs: "a"},
		"one that signs and expires":           {script: "a +87600h10m b b", trusted: "b", signs: "b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots := newRoots(t, "abc")
			s, now := roots.play(t, test.script)
			if got := roots.names(s.Bundle()); got != test.trusted {
				t.Errorf("trusted are %q, want %q", got, test.trusted)
			}
			if got := roots.names(s.Signing()); got != test.signs {
				t.Errorf("%q signs, want %q", got, test.signs)
			}
			if got := roots.names(s.Distributing()); got != test.distributing {
				t.Errorf("distributed are %q, want %q", got, test.distributing)
			}
			if got, _ := s.Step(); got != test.step {
				t.Errorf("the step is %q, want %q", got, test.step)
			}
			if got := roots.retiring(s, now); len(got)+len(test.retiring) > 0 && !maps.Equal(got, test.retiring) {
				t.Errorf("retiring are %v, want %v", got, test.retiring)
			}
			if got, want := len(s.Current().Roots()), len(test.trusted)-len(test.retiring); got != want {
				t.Errorf("%d roots are current, want %d", got, want)
			}
		})
	}
}

func TestARootMaySignWhatEndsBeforeItIsDropped(t *testing.T) {
	roots := newRoots(t, "abc")
	s, now := roots.play(t, "a b ack new c")
	tests := map[string]struct {
		roots    string
		notAfter time.Duration
		want     bool
	}{
		"the one that signs":                   {"b", 10 * dayLong, true},
		"one that retires, as long as it does": {"a", dayLong, true},
		"and no longer":                        {"a", dayLong + 2*time.Second, false},
		"one that is distributed":              {"c", time.Hour, false},
		"neither do both":                      {"bc", time.Hour, false},
	}
	for name, test := range tests {
		if got := s.MaySign(roots.bundle(test.roots), now.Add(test.notAfter)); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
	if s.MaySign(trustbundle.TrustBundle{}, now) || s.MaySign(newRoots(t, "x").bundle("x"), now) {
		t.Error("a root that is not trusted may sign")
	}
}

func TestAuthoritiesThatShareARootAreToldApartTheSameWayEachTime(t *testing.T) {
	roots := newRoots(t, "a")
	w := Wanted{Signer: roots.bundle("a"), Trusted: map[string]trustbundle.TrustBundle{"one": roots.bundle("a"), "two": roots.bundle("a")}}
	n := Situation{Now: noon, AckTimeout: tenMinutes, RetirementPeriod: dayLong}
	s := State{}.Next(w, n)
	for range 50 {
		if next := s.Next(w, n); !next.Equal(s) {
			t.Fatal("it changes")
		}
	}
}

func TestNextLeavesTheStateItStartsFromAlone(t *testing.T) {
	roots := newRoots(t, "ab")
	state, now := roots.play(t, "a b ack")
	before := recorded(t, state)
	state.Next(roots.want("a"), Situation{Now: now.Add(time.Hour), RetirementPeriod: dayLong})
	if !state.Equal(before) {
		t.Error("it changed")
	}
}

func TestARootIsNotDroppedEarlyForBeingRecordedInSeconds(t *testing.T) {
	roots := newRoots(t, "ab")
	n := Situation{Now: noon.Add(700 * time.Millisecond), Acknowledged: true, RetirementPeriod: time.Second}
	state := State{}.Next(roots.want("a"), n).Next(roots.want("b"), n).Next(roots.want("b"), n)
	n.Now = n.Now.Add(999 * time.Millisecond)
	if got := roots.names(recorded(t, state).Next(roots.want("b"), n).Bundle()); got != "ab" {
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
		"a bundle of garbage":         {map[string]string{BundleKey: "garbage"}, `key "ca.crt"`},
		"a bundle that is cut off":    {map[string]string{BundleKey: whole[:100]}, `key "ca.crt"`},
		"half a block beside":         {map[string]string{BundleKey: whole + "-----END"}, `key "ca.crt"`},
		"stages that are not JSON":    {map[string]string{BundleKey: whole, rotationKey: "tomorrow"}, `key "rotation.json"`},
		"a step that there is not":    {map[string]string{BundleKey: whole, rotationKey: `{"step":"dance"}`}, `no step "dance"`},
		"a time that is not RFC3339":  {map[string]string{BundleKey: whole, rotationKey: `{"since":"tomorrow"}`}, `key "rotation.json"`},
		"two objects":                 {map[string]string{BundleKey: whole, rotationKey: `{}{}`}, `key "rotation.json"`},
		"former ends that are a list": {map[string]string{BundleKey: whole, retiringKey: "[]"}, `key "retiring.json"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}

func TestWhatIsSaidOfARootThatIsNotTrustedMeansNothing(t *testing.T) {
	roots := newRoots(t, "a")
	other := strings.Repeat("0", 64)
	state, err := Parse(map[string]string{
		BundleKey:   string(roots.bundle("a").PEM()),
		rotationKey: `{"signing":["` + other + `"],"roots":{"` + other + `":{"until":"2020-01-01T00:00:00Z"}}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	next := state.Next(roots.want("a"), Situation{Now: noon})
	if len(roots.retiring(next, noon)) > 0 || roots.names(next.Bundle()) != "a" || roots.names(next.Signing()) != "a" {
		t.Errorf("trusted are %s", roots.names(next.Bundle()))
	}
}

func TestTheRecordOfAnEarlierReleaseIsUnderstood(t *testing.T) {
	roots := newRoots(t, "abc")
	until := noon.Add(time.Hour)
	state, err := Parse(map[string]string{
		BundleKey:   string(roots.bundle("ab").PEM()),
		retiringKey: `{"` + trustbundle.Fingerprint(roots["a"]) + `":"` + until.Format(time.RFC3339) + `"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if roots.names(state.Signing()) != "b" || !maps.Equal(roots.retiring(state, noon), map[string]time.Duration{"a": time.Hour}) {
		t.Errorf("%s signs, retiring are %v", roots.names(state.Signing()), roots.retiring(state, noon))
	}
	n := Situation{Now: noon, AckTimeout: tenMinutes, RetirementPeriod: dayLong}
	if next := state.Next(roots.want("c"), n); roots.names(next.Signing()) != "b" || roots.names(next.Distributing()) != "c" {
		t.Errorf("%s signs, and %s is distributed", roots.names(next.Signing()), roots.names(next.Distributing()))
	}
}

func TestARootsLifeIsLongerThanThisTestAssumes(t *testing.T) {
	if tresor.RootValidity > 87600*time.Hour {
		t.Errorf("roots live for %s", tresor.RootValidity)
	}
}

// recorded returns the state as another process reads it.
func recorded(t *testing.T, s State) State {
	t.Helper()
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if !read.Equal(s) {
		t.Fatal("another state is read than was recorded")
	}
	return read
}

func TestACopyHoldsTheRootsAloneWhateverIsRetiring(t *testing.T) {
	roots := newRoots(t, "ab")
	state, _ := roots.play(t, "a b ack")
	if got := state.Copy(); len(got) != 1 || got[BundleKey] != string(state.Bundle().PEM()) || roots.names(state.Bundle()) != "ab" {
		t.Errorf("the copy of %s has %d keys", roots.names(state.Bundle()), len(got))
	}
}
