package rotation

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
)

func TestARootIsTrustedAsLongAsAnyCertificateOfItCanLive(t *testing.T) {
	type step struct {
		after, lifetime, want time.Duration
	}
	tests := map[string][]step{
		"a lifetime that stays": {{time.Hour, 24 * time.Hour, 24 * time.Hour}, {24 * time.Hour, 24 * time.Hour, 24 * time.Hour}},
		"a longer one, at once": {{time.Hour, 48 * time.Hour, 48 * time.Hour}},
		"a shorter one, when the last of the longer has ended": {
			{time.Hour, 2 * time.Hour, 24 * time.Hour}, {20 * time.Hour, 2 * time.Hour, 4 * time.Hour}, {3 * time.Hour, 2 * time.Hour, 2 * time.Hour},
		},
		"shorter, and shorter": {
			{0, 10 * time.Hour, 24 * time.Hour}, {20 * time.Hour, time.Hour, 10 * time.Hour}, {time.Hour, time.Hour, 9 * time.Hour},
		},
		"shorter, and longer again": {
			{0, time.Hour, 24 * time.Hour}, {time.Hour, 12 * time.Hour, 23 * time.Hour}, {20 * time.Hour, 12 * time.Hour, 12 * time.Hour},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				retirementPeriod := NewRetirementPeriod(24 * time.Hour)
				for i, step := range steps {
					time.Sleep(step.after)
					retirementPeriod.Set(step.lifetime)
					if got := retirementPeriod.Now() - issuer.ClockSkew; got != step.want {
						t.Errorf("step %d: %s, want %s", i+1, got, step.want)
					}
				}
			})
		})
	}
}
