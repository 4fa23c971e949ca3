package main

import "context"

// load makes handshakes without pause until ctx ends.
func (s *soak) load(ctx context.Context) error {
	for ctx.Err() == nil {
		client, server := s.crowd.pair()
		near, far := client.now(), server.now()
		excused := s.excused(client) || s.excused(server)
		err := shakeHands(near, far)
		switch {
		case err == nil:
			s.tally.handshakes.Add(1)
		case !excused:
			s.tally.handshakes.Add(1)
			s.tally.fail("%s\n  client %s\n  server %s", err, near, far)
		}
	}
	return nil
}

// excused reports whether the mesh has waited for the proxy as long as it has to.
func (s *soak) excused(p *proxy) bool { return p.mute && s.late.Load() }
