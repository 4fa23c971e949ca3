package main

import (
	"context"
	"fmt"
	"time"
)

// muteOne has a proxy take part that acknowledges nothing, for so long that the
// mesh has to give it up once.
func (s *soak) muteOne(ctx context.Context) error {
	p, err := s.join(ctx, 0, true)
	if err != nil {
		return unlessOver(ctx, err)
	}
	fmt.Printf("pod %s acknowledges nothing\n", p.pod.Name)
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(deadline + 10*time.Second):
	}
	fmt.Printf("pod %s is gone\n", p.pod.Name)
	s.crowd.remove(p)
	return unlessOver(ctx, s.leave(ctx, p))
}

// excused reports whether it is mute, and does not know roots that the mesh has
// waited for as long as it has to.
func (s *soak) excused(v *view) bool {
	if !v.of.mute {
		return false
	}
	known, err := s.bundles.recorded(time.Now().Add(-ackTimeout))
	return err == nil && !v.bundle.Union(known).Equal(v.bundle)
}
