package main

import "context"

// load makes handshakes without pause until ctx ends.
func (s *soak) load(ctx context.Context) error {
	for ctx.Err() == nil {
		client, server := s.crowd.pair()
		near, far := client.now(), server.now()
		err := shakeHands(near, far)
		if err != nil && (s.excused(near) || s.excused(far)) {
			continue
		}
		s.tally.handshakes.Add(1)
		if err != nil {
			s.tally.fail("%s\n  client %s\n  server %s", err, near, far)
		}
	}
	return nil
}
