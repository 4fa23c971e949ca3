package main

import (
	"context"
	"time"
)

// unreadyPause leaves those that are not ready the processors to become so.
const unreadyPause = 10 * time.Millisecond

// load makes handshakes without pause until ctx ends.
func (s *soak) load(ctx context.Context) error {
	for ctx.Err() == nil {
		s.shake(s.crowd.pair())
	}
	return nil
}

// shake has two proxies shake hands, and counts it.
func (s *soak) shake(client, server *proxy) {
	s.still.RLock()
	defer s.still.RUnlock()
	near, far := client.now(), server.now()
	if s.shifted.Load() && !(client.sidecar.State().Ready() && server.sidecar.State().Ready()) {
		s.tally.unready.Add(1) // a Service would lead to neither
		time.Sleep(unreadyPause)
		return
	}
	err := shakeHands(near, far)
	if err != nil && (s.excused(near) || s.excused(far)) {
		return
	}
	s.tally.handshakes.Add(1)
	if err != nil {
		s.tally.failHandshake(err, "%s\n  client %s\n  server %s", err, near, far)
	}
}
