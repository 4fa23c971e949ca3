package sidecar

import (
	"testing"

	"google.golang.org/grpc"
)

// counted counts what is sent.
type counted struct {
	grpc.BidiStreamingClient[int, int]
	sent int
}

func (c *counted) Send(*int) error {
	c.sent++
	return nil
}

func TestAMuteSidecarAsksOnceAndAcknowledgesNothing(t *testing.T) {
	stream := &counted{}
	m := &mute[int, int]{BidiStreamingClient: stream}
	for range 3 {
		if err := m.Send(new(int)); err != nil {
			t.Fatal(err)
		}
	}
	if stream.sent != 1 {
		t.Errorf("%d requests were sent", stream.sent)
	}
}
