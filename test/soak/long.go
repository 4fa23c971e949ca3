package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// fault is something that goes wrong for a while.
type fault struct {
	name string
	act  func(*soak, context.Context) error
}

// faults come in turn, as often as there is time.
var faults = []fault{
	{"clocks are ahead", (*soak).runAhead},
	{"every process is killed", (*soak).killEach},
	{"the API server stands still", (*soak).stopAPIServer},
	{"an osm-controller is cut off", (*soak).partition},
	{"clocks are behind", (*soak).fallBehind},
}

// suspended comes once, after all turns: see sleep.
var suspended = fault{"the node is suspended", (*soak).suspend}

// longStory replaces the root all the while. After the faults, nothing goes wrong
// for as long as a quarter of the handshakes takes: memory is to be flat then.
func (s *soak) longStory(ctx context.Context) error {
	// It does not wait at the gate, and so starts before anything goes wrong.
	if err := s.startCertManager(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return unlessOver(ctx, s.rotateOn(ctx)) })
	group.Go(func() error {
		defer stop()
		for turn := 1; turn == 1 || s.tally.handshakes.Load() < s.size.handshakes*6/10; turn++ {
			for _, f := range faults {
				if err := s.suffer(ctx, f); err != nil {
					return err
				}
				pass(ctx, s.size.pace)
			}
		}
		if err := s.suffer(ctx, suspended); err != nil {
			return err
		}
		s.awaitHandshakes(ctx, max(s.size.handshakes, s.tally.handshakes.Load()*4/3))
		return nil
	})
	return group.Wait()
}

// rotateOn goes through the triggers until ctx ends, one round after the other. A
// round leaves the mesh with its own root.
func (s *soak) rotateOn(ctx context.Context) error {
	round := func() error {
		s.round.Lock()
		defer s.round.Unlock()
		triggers := s.size.killed
		if s.shifted.Load() {
			triggers = s.size.quiet // what starts now has the machine's clock
		}
		for _, trigger := range triggers {
			began := time.Now()
			if err := s.rotate(ctx, trigger); err != nil {
				return err
			}
			pass(ctx, s.size.pace-time.Since(began))
		}
		return nil
	}
	for ctx.Err() == nil {
		if err := round(); err != nil {
			return err
		}
	}
	return nil
}

// suffer has a fault happen, and notes what there was meanwhile.
func (s *soak) suffer(ctx context.Context, f fault) error {
	before, began := s.tally.snapshot(), s.record.now()
	fmt.Printf("%s ...\n", f.name)
	err := f.act(s, ctx)
	passed := s.tally.snapshot().since(before)
	s.record.note(f.name, began)
	fmt.Printf("%s: over; meanwhile %s\n", f.name, passed)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}
