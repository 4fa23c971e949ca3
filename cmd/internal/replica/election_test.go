package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

func TestOneReplicaLeadsAndAnotherFollowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		stand := func(name string) (leads *atomic.Bool, end func()) {
			leads = new(atomic.Bool)
			e := &Election{Leases: client.CoordinationV1(), Namespace: namespace, Replica: name, Lead: []func(context.Context){func(ctx context.Context) {
				leads.Store(true)
				<-ctx.Done()
				leads.Store(false)
			}}}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- e.Run(ctx) }()
			return leads, func() {
				cancel()
				must(t, <-ended)
			}
		}
		one, end := stand("one")
		time.Sleep(3 * retryPeriod)
		synctest.Wait()
		two, endTwo := stand("two")
		defer endTwo()
		time.Sleep(3 * retryPeriod)
		synctest.Wait()
		if !one.Load() || two.Load() {
			t.Fatalf("one leads: %t, two leads: %t", one.Load(), two.Load())
		}
		end() // which gives the Lease back
		time.Sleep(3 * retryPeriod)
		synctest.Wait()
		if one.Load() || !two.Load() {
			t.Errorf("one leads: %t, two leads: %t", one.Load(), two.Load())
		}
	})
}

func TestAReplicaWithoutTheAPIServerIsNotReadyAndDrainsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var drained, confirmed atomic.Int32
		c := &Contact{
			Confirm: func(context.Context) error {
				if away.Load() {
					return errors.New("away")
				}
				return nil
			},
			Confirmed: func(time.Time) { confirmed.Add(1) },
			Drain:     func() { drained.Add(1) },
			Logger:    slog.New(slog.DiscardHandler),
		}
		must(t, c.Check()) // it starts with what it is told
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		for range 2 { // each time
			away.Store(false)
			time.Sleep(2 * contactPeriod)
			before := drained.Load()
			away.Store(true)
			time.Sleep(readinessTimeout - contactPeriod)
			must(t, c.Check())
			time.Sleep(2 * contactPeriod)
			if c.Check() == nil || drained.Load() != before {
				t.Errorf("ready: %v, drained %d times", c.Check(), drained.Load())
			}
			time.Sleep(2 * drainTimeout)
			if drained.Load() != before+1 {
				t.Errorf("drained %d times", drained.Load())
			}
		}
		cancel()
		must(t, <-ended)
		if confirmed.Load() == 0 {
			t.Error("it was not confirmed")
		}
	})
}
