package sidecar

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxRequestLine is more than servers take (RFC 9112, section 3: 8000 octets at
// least).
const maxRequestLine = 64 << 10

// protocol is what a connection's first bytes are of.
type protocol int

const (
	undecided protocol = iota
	hypertext
	other
)

// recognise tells whether a connection that begins so is HTTP. Whatever a
// lenient server might read as a request is, because only a request that is
// parsed here is known to carry no forged peerHeader: empty lines before it,
// any method, any white space, any case. The preface of HTTP/2 is made to look
// like a request (RFC 9113, section 3.4).
func recognise(begin []byte) protocol {
	line := trimSpace(begin)
	line, _, whole := bytes.Cut(line, []byte("\n"))
	method := bytes.IndexFunc(line, func(r rune) bool { return !isToken(r) })
	switch {
	case method == 0 || method > 0 && strings.IndexByte(space, line[method]) < 0:
		return other
	case bytes.Contains(bytes.ToUpper(line), []byte("HTTP/")):
		return hypertext
	case whole && method == len("GET") && bytes.HasPrefix(line, []byte("GET")):
		return hypertext // HTTP/0.9, after which some servers read headers
	case whole:
		return other
	case len(begin) >= maxRequestLine:
		return hypertext // for net/http to refuse
	}
	return undecided
}

// space is what some server takes for white space, in ASCII or in Latin-1.
const space = " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0"

// trimSpace works on bytes: bytes.TrimLeft would take space for UTF-8.
func trimSpace(line []byte) []byte {
	for len(line) > 0 && strings.IndexByte(space, line[0]) >= 0 {
		line = line[1:]
	}
	return line
}

// isToken reports whether a method may have the character (RFC 9110, section
// 5.6.2).
func isToken(r rune) bool {
	switch r {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

var errLateRequest = errors.New("an HTTP request that came in pieces, too slowly to be recognised")

// late carries on with a connection that is not recognised yet, and ends it
// if it turns out to be HTTP.
type late struct {
	io.Reader
	begin []byte
	is    protocol
}

// Read implements io.Reader.
func (w *late) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if w.is == undecided {
		w.begin = append(w.begin, p[:n]...)
		w.is = recognise(w.begin)
	}
	switch w.is {
	case hypertext:
		return 0, errLateRequest
	case other:
		w.begin = nil
	}
	return n, err
}
