package sidecar

import "bytes"

// foldedPeerHeader is peerHeader as fold leaves it.
const foldedPeerHeader = "xforwardedclientcert"

// isPeerHeader reports whether an application may take a header of this name for
// peerHeader. CGI makes an underscore of each hyphen (RFC 3875, section
// 4.1.18), and some servers one of each other character that a name may have
// (RFC 9110, section 5.6.2). So letters and digits alone tell names apart.
func isPeerHeader(name string) bool {
	at := 0
	for i := range len(name) {
		c := lower(name[i])
		if !isAlphanumeric(c) {
			continue
		}
		if at == len(foldedPeerHeader) || c != foldedPeerHeader[at] {
			return false
		}
		at++
	}
	return at == len(foldedPeerHeader)
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// peerWords are the words of peerHeader, last first.
var peerWords = []string{"cert", "client", "forwarded", "x"}

// maxNameLength is how far before its colon a name is looked for.
const maxNameLength = 256

// holdsPeerHeader reports whether a line begins with peerHeader and a colon, the
// colon being at from or later. Some server or other ends a line at any control
// character, takes anything between the words for a hyphen, and minds no white
// space. isBegin says that the bytes begin a line.
func holdsPeerHeader(b []byte, from int, isBegin bool) bool {
	for at := from; at < len(b); at++ {
		colon := bytes.IndexByte(b[at:], ':')
		if colon < 0 {
			return false
		}
		at += colon
		if endsWithPeerHeader(b[max(0, at-maxNameLength):at], isBegin && at <= maxNameLength) {
			return true
		}
	}
	return false
}

func endsWithPeerHeader(b []byte, isBegin bool) bool {
	if b = trimLoose(b); len(b) == 0 || lower(b[len(b)-1]) != 't' {
		return false // mostly
	}
	for i, word := range peerWords {
		if len(b) < len(word) || !bytes.EqualFold(b[len(b)-len(word):], []byte(word)) {
			return false
		}
		b = b[:len(b)-len(word)]
		for i < len(peerWords)-1 && len(b) > 0 && !isAlphanumeric(b[len(b)-1]) && !endsLine(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
	}
	b = trimLoose(b)
	if len(b) == 0 {
		return isBegin
	}
	return endsLine(b[len(b)-1])
}

// trimLoose drops what stands around a name in a request, but not around one in
// a document, as quotes do.
func trimLoose(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t' || !isAlphanumeric(b[len(b)-1]) && isToken(rune(b[len(b)-1]))) {
		b = b[:len(b)-1]
	}
	return b
}

// squeeze makes one of the spaces and tabs that stand together: servers that take
// some before a colon take any number of them.
func squeeze(b []byte, before byte) []byte {
	kept, first := []byte(nil), 0
	for i, c := range b {
		if isBlank(c) && isBlank(before) {
			kept, first = append(kept, b[first:i]...), i+1
		}
		before = c
	}
	if first == 0 {
		return b // as nearly always
	}
	return append(kept, b[first:]...)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func endsLine(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f || c == 0x85 }
