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
	line := bytes.TrimLeft(begin, "\r\n\t\v\f ")
	line, _, whole := bytes.Cut(line, []byte("\n"))
	switch {
	case len(line) > 0 && !isToken(line[0]):
		return other
	case bytes.Contains(bytes.ToUpper(line), []byte("HTTP/")):
		return hypertext
	case whole && bytes.HasPrefix(line, []byte("GET ")):
		return hypertext // HTTP/0.9, after which some servers read headers
	case whole || bytes.ContainsFunc(line, isBinary):
		return other
	case len(begin) >= maxRequestLine:
		return hypertext // for net/http to refuse
	}
	return undecided
}

// isToken reports whether a method may begin so (RFC 9110, section 5.6.2).
func isToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isBinary reports whether no server takes the character in a request line.
func isBinary(r rune) bool {
	return r < ' ' && !strings.ContainsRune("\t\v\f\r\x1c\x1d\x1e\x1f", r) || r == 0x7f
}

var errLateRequest = errors.New("an HTTP request that came in pieces, too slowly to be recognised")

// watched carries on with a connection that is not recognised yet, and ends it
// if it turns out to be HTTP.
type watched struct {
	io.Reader
	begin []byte
	is    protocol
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
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
