package main

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// quietHalf rotates by each trigger until there were enough handshakes, and
// nothing else happens.
func (s *soak) quietHalf(ctx context.Context) error {
	half := s.size.handshakes / 2
	return s.rotateUntil(ctx, s.size.quiet, func() bool { return s.tally.handshakes.Load() >= half })
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
		return s.rotateUntil(ctx, s.size.killed, func() bool {
			return past.Load() && s.tally.handshakes.Load() >= s.size.handshakes && s.tally.kills.Load() >= s.size.kills
		})
	})
	return group.Wait()
}

// rotateUntil rotates by each trigger once, and goes on until it is enough.
func (s *soak) rotateUntil(ctx context.Context, by []string, enough func() bool) error {
	for i := 0; i < len(by) || !enough(); i++ {
		if err := s.rotate(ctx, by[i%len(by)]); err != nil {
			return err
		}
	}
	return nil
}
