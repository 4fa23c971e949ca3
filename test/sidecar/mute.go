package sidecar

import "google.golang.org/grpc"

// mute sends the first request of a stream and nothing more: its peer hears
// neither ACK nor NACK.
type mute[Request, Response any] struct {
	grpc.BidiStreamingClient[Request, Response]
	greeted bool
}

// Send implements grpc.BidiStreamingClient.
func (m *mute[Request, Response]) Send(r *Request) error {
	if m.greeted {
		return nil
	}
	m.greeted = true
	return m.BidiStreamingClient.Send(r)
}
