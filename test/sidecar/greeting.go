package sidecar

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// maxHeld is more than an HTTP/2 server says before its client does.
const maxHeld = 64 << 10

// greeting is what an application said before its peer did.
type greeting struct {
	// held are bytes that the peer has not got.
	held []byte
	// passed is how many it has got.
	passed int64
	// ended reports that the application says no more, which the peer knows.
	ended bool
	err   error
}

// rest is what the application says beside what the peer has got.
func (g greeting) rest(application io.Reader) io.Reader {
	return io.MultiReader(bytes.NewReader(g.held), application)
}

// greet passes on what the application says until its read deadline is over. It
// holds back what an HTTP/2 server says, because the peer of one gets that from
// the sidecar's.
func greet(r *relay) greeting {
	var g greeting
	buffer := make([]byte, 4<<10)
	for len(g.held) == 0 || len(g.held) < maxHeld && beginsHTTP2(g.held) {
		n, err := r.server.Read(buffer)
		g.held = append(g.held, buffer[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return g
		}
		if err != nil {
			break // which pass finds out as well
		}
	}
	g.passed, g.err = r.pass(r.client, g.rest(r.server))
	g.held, g.ended = nil, g.err == nil
	if errors.Is(g.err, os.ErrDeadlineExceeded) {
		g.err = nil
	}
	return g
}

// beginsHTTP2 reports whether the bytes begin with the head of a SETTINGS frame,
// which is the first that an HTTP/2 server says, be its client there or not
// (RFC 9113, sections 3.4, 4.1 and 6.5).
func beginsHTTP2(said []byte) bool {
	if len(said) < 9 {
		return false
	}
	length := int(said[0])<<16 | int(said[1])<<8 | int(said[2])
	return length%6 == 0 && bytes.Equal(said[3:9], []byte{4, 0, 0, 0, 0, 0}) // type SETTINGS, no flags, stream 0
}
