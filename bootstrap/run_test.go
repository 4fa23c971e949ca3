package bootstrap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// running is a Runner that runs, and when it carried out the steps.
type running struct {
	*Runner
	changed chan struct{}
	failure error // of every attempt
	started time.Time
	at      []time.Duration // after the start
}

// startRunner runs until the test's end. It must be called in a bubble of
// synctest, and its fields be touched after synctest.Wait only.
func startRunner(t *testing.T, failure error) *running {
	t.Helper()
	m := newMesh()
	r := &running{changed: make(chan struct{}, 1), failure: failure, started: time.Now()}
	m.trusted = func() (trustbundle.TrustBundle, error) {
		r.at = append(r.at, time.Since(r.started))
		return trustbundle.TrustBundle{}, r.failure
	}
	r.Runner = &Runner{Bootstrap: m.Bootstrap, Changed: r.changed}
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "has not finished yet") {
		t.Errorf("before the first attempt Ready returns %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return r
}

func (r *running) mustHaveRunAt(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(r.at, want) {
		t.Errorf("the steps were carried out after %v, want %v", r.at, want)
	}
}

func TestTheStepsAreRepeatedEveryHourAndAtEveryChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRunner(t, nil)
		r.mustHaveRunAt(t, 0)
		if err := r.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		time.Sleep(10 * time.Minute)
		r.changed <- struct{}{}
		time.Sleep(61 * time.Minute)
		r.mustHaveRunAt(t, 0, 10*time.Minute, 70*time.Minute)
	})
}

func TestAStepThatFailsIsTriedAgainLaterAndLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRunner(t, errors.New("sealed"))
		time.Sleep(184 * time.Second)
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183}
		for i := range want {
			want[i] *= time.Second
		}
		r.mustHaveRunAt(t, want...)
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "sealed") {
			t.Errorf("Ready returns %v", err)
		}
	})
}

func TestAChangeIsTakenUpWhileARetryIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRunner(t, errors.New("sealed"))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		r.at, r.failure = nil, nil
		r.changed <- struct{}{}
		r.mustHaveRunAt(t, 40*time.Second)
		if err := r.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
	})
}

func TestARetryStartsShortAgainAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startRunner(t, errors.New("sealed"))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		r.failure = nil
		r.changed <- struct{}{}
		synctest.Wait()
		r.at, r.failure = nil, errors.New("sealed")
		r.changed <- struct{}{}
		time.Sleep(2 * time.Second)
		r.mustHaveRunAt(t, 40*time.Second, 41*time.Second)
		if r.Ready() == nil {
			t.Error("ready though the last attempt failed")
		}
	})
}
