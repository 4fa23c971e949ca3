package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// quietHalf rotates by each trigger, and nothing else happens, until there were
// enough handshakes. On a slow machine, it leaves time for the other half.
func (s *soak) quietHalf(ctx context.Context) error {
	half, began := s.size.handshakes/2, time.Now()
	return s.rotateUntil(ctx, s.size.quiet, func() bool {
		return s.tally.handshakes.Load() >= half || time.Since(began) > s.size.limit/3
	})
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
