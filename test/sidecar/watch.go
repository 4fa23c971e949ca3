package sidecar

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
)

const (
	// maxOpening is how much of what a client says at first, or at first after an
	// answer, may be the beginning of a request.
	maxOpening = 64 << 10
	// preface begins HTTP/2, and nothing else does (RFC 9113, section 3.4).
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

var errHiddenRequest = errors.New("HTTP within what is not HTTP: declare the port HTTP if it is, " +
	"or else keep what looks like a request out of the first lines, and the header " + peerHeader + " out of any")

// answers are what is known of what an application said on a connection.
type answers struct {
	count  atomic.Int64
	sealed atomic.Bool
	begin  []byte // as much as tells whether it is sealed
}

// note is for one goroutine at a time.
func (a *answers) note(said []byte) {
	if len(said) == 0 {
		return
	}
	if missing := 8 - len(a.begin); missing > 0 {
		a.begin = append(a.begin, said[:min(missing, len(said))]...)
		a.sealed.Store(isSealed(a.begin))
	}
	a.count.Add(1)
}

// isSealed reports whether an application that begins so takes what follows for
// encrypted, and for nothing else: a ServerHello (RFC 8446, sections 4 and
// 5.1), or the version of SSH (RFC 4253, section 4.2).
func isSealed(begin []byte) bool {
	return len(begin) >= 6 && begin[0] == 22 && begin[1] == 3 && begin[5] == 2 || bytes.HasPrefix(begin, []byte("SSH-2.0-"))
}

// watch carries what a client says in another protocol than HTTP. It ends where
// some server might read a request, so that none gets a peerHeader that was not
// written here:
//
//   - until the application has answered, a line that ends in a version of HTTP,
//     whatever precedes that;
//   - after each answer, a first line that is a request's;
//   - anywhere, a line that begins with peerHeader, and the preface of HTTP/2.
//
// Anything else that looks like HTTP may be the content of a mail, of a record
// or of a cache. What an application takes for encrypted is not looked at.
type watch struct {
	io.Reader
	answers *answers

	heard   int64 // answers before this turn of the client's
	begun   bool
	later   bool // the turn is not its first
	decided bool // nothing of the turn can be a request any more
	length  int  // of the turn, up to maxOpening
	line    openingLine
	tail    []byte // the end of what was said before
	ended   bool   // tail does not begin what was said
}

// Read implements io.Reader.
func (w *watch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n == 0 || w.answers.sealed.Load() {
		return n, err
	}
	if count := w.answers.count.Load(); count != w.heard {
		w.heard = count
		if w.begun {
			w.answered()
		}
	}
	if w.holdsRequest(p[:n]) {
		return 0, errHiddenRequest
	}
	return n, err
}

// answered begins another turn of the client's.
func (w *watch) answered() {
	w.later, w.decided, w.length, w.line = true, false, 0, openingLine{}
}

// holdsRequest takes in what is said next.
func (w *watch) holdsRequest(said []byte) bool {
	w.begun = w.begun || len(said) > 0
	return w.opens(said) || w.holdsPeer(said)
}

// opens reports whether a turn begins with a request.
func (w *watch) opens(said []byte) bool {
	for _, c := range said {
		if w.decided || w.length == maxOpening {
			return false
		}
		w.length++
		isVersion := w.line.next(c)
		if isVersion && (!w.later || w.line.is == requestLine) {
			return true
		}
		w.decided = w.later && (w.line.is == otherLine || c == '\n' && w.line.is != emptyLine)
	}
	return false
}

func (w *watch) holdsPeer(said []byte) bool {
	before, last := len(w.tail), byte(0)
	if before > 0 {
		last = w.tail[before-1]
	}
	said = squeeze(said, last)
	joint := append(w.tail, said[:min(len(said), maxNameLength)]...)
	if holdsPeerHeader(joint, before, !w.ended) || bytes.Contains(joint, []byte(preface)) ||
		holdsPeerHeader(said, maxNameLength, !w.ended && before == 0) || bytes.Contains(said, []byte(preface)) {
		return true
	}
	if len(said) > maxNameLength {
		joint, w.ended = said[len(said)-maxNameLength:], true
	}
	if len(joint) > maxNameLength {
		joint, w.ended = joint[len(joint)-maxNameLength:], true
	}
	w.tail = append(w.tail[:0], joint...)
	return false
}

// lineKind is what a line is, as far as it came.
type lineKind int

const (
	emptyLine   lineKind = iota // or nothing but what a lenient server skips
	methodLine                  // that, and a token
	requestLine                 // that, and white space
	otherLine
)

// openingLine reads a line byte by byte.
type openingLine struct {
	is      lineKind
	before  byte // the byte read last
	version int  // how much of one was read last: so much of versionPrefix, or versionNumber, or versionEnd
}

const (
	versionPrefix = "HTTP/"
	versionNumber = len(versionPrefix) + 1
	versionEnd    = versionNumber + 1
)

// next reports whether the line ends, with this byte, in a version of HTTP.
func (l *openingLine) next(c byte) bool {
	isEnd := c == '\r' || c == '\n'
	isVersion := isEnd && l.version >= versionNumber
	l.version = followVersion(l.version, l.before, c)
	l.before = c
	switch l.is {
	case emptyLine:
		if isToken(rune(c)) {
			l.is = methodLine
		} else if isPrintable(c) {
			l.is = otherLine
		}
	case methodLine:
		if isSpace(c) {
			l.is = requestLine
		} else if !isToken(rune(c)) {
			l.is = otherLine
		}
	}
	return isVersion
}

// followVersion takes a word for a version only after white space. There is none
// before those in the first bytes of TLS (RFC 7301, section 3.1) and of FastCGI.
func followVersion(version int, before, c byte) int {
	isNumber := c >= '0' && c <= '9'
	switch {
	case version == versionNumber && (isNumber || c == '.'), version == len(versionPrefix) && isNumber:
		return versionNumber
	case version >= versionNumber && isSpace(c):
		return versionEnd
	case version > 0 && version < len(versionPrefix) && lower(c) == lower(versionPrefix[version]):
		return version + 1
	case lower(c) == 'h' && isSpace(before):
		return 1
	}
	return 0
}

func isPrintable(c byte) bool { return c > ' ' && c < 0x7f }

func isSpace(c byte) bool { return bytes.IndexByte([]byte(space), c) >= 0 }
