package issuer

import (
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// A machine that is suspended has its monotonic clock stand still, and its wall
// clock does not. Go compares by the first wherever both times have it.
func TestWhatIsDueIsComparedByTheWallClock(t *testing.T) {
	e := &entry{}
	new(queue).put(e, time.Now())
	m := NewManager(Options{})
	m.Confirm(time.Now())
	for name, at := range map[string]time.Time{
		"due":       e.due,
		"renewal":   renewalTime(identity.Identity{}, time.Now(), time.Now().Add(time.Hour)),
		"confirmed": m.confirmed,
	} {
		if strings.Contains(at.String(), "m=") {
			t.Errorf("%s has a reading of the monotonic clock: %s", name, at)
		}
	}
	if longestSleep := m.options.LongestSleep; longestSleep > time.Minute {
		t.Errorf("who sleeps wakes after %s only", longestSleep)
	}
}
