package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/mesh"
)

// step is called at each step that a root takes.
func (s *soak) step() {
	select {
	case s.steps <- struct{}{}:
	default: // one that was not acted on yet
	}
}

// kill kills one of the mesh's processes at each step of a root, until ctx ends.
// The kubelet starts it again.
func (s *soak) kill(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.steps:
		}
		if err := unlessOver(ctx, s.killOne(ctx)); err != nil {
			return err
		}
	}
}

// killOne kills one that runs, if any does, and can reach the API server.
func (s *soak) killOne(ctx context.Context) error {
	var pods []corev1.Pod
	for _, component := range mesh.Components {
		found, err := s.componentPods(ctx, component)
		if err != nil {
			return err
		}
		pods = append(pods, found...)
	}
	cutOff, _ := s.cutOff.Load().(string)
	pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.Name == cutOff })
	for _, i := range rand.Perm(len(pods)) {
		if s.cluster.Signal(pods[i].Namespace, pods[i].Name, syscall.SIGKILL) == nil {
			s.tally.kills.Add(1)
			return nil
		}
	}
	return nil
}
