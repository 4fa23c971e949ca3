package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// partitionTime is how long an osm-controller does not reach the API server.
const partitionTime = time.Minute

// partition cuts an osm-controller off from the API server for a while.
func (s *soak) partition(ctx context.Context) error {
	pods, err := s.componentPods(ctx, "osm-controller")
	if err != nil {
		return err
	}
	var name string
	var fix func()
	for _, i := range rand.Perm(len(pods)) {
		name = pods[i].Name
		// One that was killed is not there to be cut off.
		if fix, err = s.cluster.Cut(pods[i].Namespace, name); err == nil {
			break
		}
	}
	if fix == nil {
		return err
	}
	defer fix()
	s.cutOff.Store(name)
	defer s.cutOff.Store("")
	fmt.Printf("pod %s is cut off from the API server\n", name)
	select {
	case <-ctx.Done():
	case <-time.After(partitionTime):
		fmt.Printf("pod %s reaches the API server again\n", name)
	}
	return nil
}
