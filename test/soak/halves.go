package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// quietHalf rotates by each trigger, and nothing else happens. Rotations are
// spread over the handshakes of the half. On a slow machine, it leaves time for
// the other half.
func (s *soak) quietHalf(ctx context.Context) error {
	spare, cancel := context.WithTimeout(ctx, s.size.limit/3)
	defer cancel()
	half := s.size.handshakes / 2
	for i, trigger := range s.size.quiet {
		if err := s.rotate(ctx, trigger); err != nil {
			return err
		}
		s.awaitHandshakes(spare, half*int64(i+1)/int64(len(s.size.quiet)))
	}
	return nil
}

// killedHalf kills at every step of a root. At its begin, one osm-controller is
// cut off for a while, and one proxy is mute after that.
func (s *soak) killedHalf(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	var past atomic.Bool
	group.Go(func() error { return s.kill(ctx) })
	group.Go(func() error {
		defer past.Store(true)
		if err := s.partition(ctx); err != nil {
			return err
		}
		return s.muteOne(ctx)
	})
	group.Go(func() error {
		defer stop()
		for i := 0; i < len(s.size.killed) || !past.Load() || s.tally.kills.Load() < s.size.kills; i++ {
			if err := s.rotate(ctx, s.size.killed[i%len(s.size.killed)]); err != nil {
				return err
			}
		}
		s.awaitHandshakes(ctx, s.size.handshakes)
		return nil
	})
	return group.Wait()
}

// awaitHandshakes waits until there were so many, or ctx ends.
func (s *soak) awaitHandshakes(ctx context.Context, enough int64) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for s.tally.handshakes.Load() < enough {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
