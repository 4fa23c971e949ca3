package sds

import (
	"context"
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/time/rate"
)

const (
	// What a connection may send at once, and each second after that, in HTTP/2
	// frames: more is read later. Of DATA frames something is held until the
	// request is read. The others cost CPU and no flow control (CVE-2019-9512 and
	// those after it).
	dataBurst        = 1024
	dataPerSecond    = requestsPerSecond
	controlBurst     = 4096
	controlPerSecond = 200
	// maxMessageFrames bounds the DATA frames that one request comes in. What is
	// held of a frame is many times a byte, so that requests in frames of a byte
	// would take many times what they weigh (CVE-2019-9518).
	maxMessageFrames = 64
	// maxOpenMessages bounds the streams with a request that has only begun.
	maxOpenMessages = 2 * maxStreams
)

const (
	frameHeader   = 9 // RFC 9113, section 4.1
	messagePrefix = 5 // of gRPC: a flag and the length
	clientPreface = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
)

// The types of frames and the flags that matter here; RFC 9113, section 6.
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	flagEnd      = 0x1
	flagPadded   = 0x8
)

var (
	errPadded   = errors.New("a DATA frame is padded, which no gRPC client does")
	errTooSmall = errors.New("a request comes in too many DATA frames")
	errTooMany  = errors.New("too many requests have only begun")
)

// frames counts the HTTP/2 frames that are read from a connection. What the
// frames mean is for those who read them; they are not changed.
type frames struct {
	net.Conn // with TLS
	data     *rate.Limiter
	control  *rate.Limiter
	closed   context.Context // done when the connection is closed
	close    context.CancelFunc

	preface  int // bytes of the client's preface to come
	header   [frameHeader]byte
	has      int // bytes of the header
	left     int // bytes of the payload to come
	messages map[uint32]*message
}

// message is a request that has begun, of a stream.
type message struct {
	prefix [messagePrefix]byte
	has    int // bytes of the prefix
	left   int // bytes of the message to come
	frames int
}

func newFrames(secured net.Conn) *frames {
	f := &frames{
		Conn:     secured,
		data:     rate.NewLimiter(dataPerSecond, dataBurst),
		control:  rate.NewLimiter(controlPerSecond, controlBurst),
		preface:  clientPreface,
		messages: map[uint32]*message{},
	}
	f.closed, f.close = context.WithCancel(context.Background())
	return f
}

// Read implements net.Conn. gRPC calls it on one goroutine.
func (f *frames) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if refused := f.take(b[:n]); refused != nil {
		_ = f.Close()
		return 0, refused
	}
	return n, err
}

// Close implements net.Conn.
func (f *frames) Close() error {
	f.close()
	return f.Conn.Close()
}

func (f *frames) take(b []byte) error {
	skipped := min(f.preface, len(b))
	f.preface -= skipped
	for b = b[skipped:]; len(b) > 0; {
		if f.has < frameHeader {
			n := copy(f.header[f.has:], b)
			f.has, b = f.has+n, b[n:]
			if f.has < frameHeader {
				return nil
			}
			f.left = int(binary.BigEndian.Uint32(f.header[:4]) >> 8)
			if err := f.begin(); err != nil {
				return err
			}
		}
		n := min(f.left, len(b))
		f.payload(b[:n])
		if f.left, b = f.left-n, b[n:]; f.left == 0 {
			f.end()
		}
	}
	return nil
}

func (f *frames) stream() uint32 { return binary.BigEndian.Uint32(f.header[5:]) &^ (1 << 31) }

func (f *frames) is(kind byte) bool { return f.header[3] == kind }

func (f *frames) flagged(flag byte) bool { return f.header[4]&flag != 0 }

// begin takes in a header. It waits when there were too many.
func (f *frames) begin() error {
	limiter := f.control
	if f.is(frameData) {
		limiter = f.data
	}
	if err := limiter.Wait(f.closed); err != nil {
		return net.ErrClosed
	}
	if !f.is(frameData) {
		return nil
	}
	m := f.messages[f.stream()]
	switch {
	case f.flagged(flagPadded):
		return errPadded
	case m == nil && len(f.messages) == maxOpenMessages:
		return errTooMany
	case m == nil:
		m = &message{}
		f.messages[f.stream()] = m
	}
	if m.frames++; m.frames > maxMessageFrames {
		return errTooSmall
	}
	return nil
}

// payload takes in bytes of the frame's payload, which may hold the end of a
// request, some more, and the beginning of another.
func (f *frames) payload(b []byte) {
	if !f.is(frameData) {
		return
	}
	m := f.messages[f.stream()]
	for len(b) > 0 {
		if m.has < messagePrefix {
			n := copy(m.prefix[m.has:], b)
			m.has, b = m.has+n, b[n:]
			if m.has < messagePrefix {
				return
			}
			m.left = int(binary.BigEndian.Uint32(m.prefix[1:]))
		}
		n := min(m.left, len(b))
		if m.left, b = m.left-n, b[n:]; m.left == 0 {
			m.has, m.frames = 0, 1
		}
	}
}

// end forgets a request that is complete, or that no more comes of.
func (f *frames) end() {
	f.has = 0
	m := f.messages[f.stream()]
	ends := f.is(frameReset) || (f.is(frameData) || f.is(frameHeaders)) && f.flagged(flagEnd)
	if m != nil && (m.has == 0 || ends) {
		delete(f.messages, f.stream())
	}
}
