package webhook

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"unicode/utf8"
)

// scanner holds a JSON text to limits while it arrives. It takes 8 bytes for each
// name of the objects that are open, and keeps nothing else of the text.
//
// It does not tell whether the text is JSON. Decoders do, before they take memory
// for what they decode. Of every text that is JSON it counts right.
type scanner struct {
	limits limits
	seed   maphash.Seed
	read   int
	values int
	open   []nesting
	names  []uint64 // hashes of the names in all open objects
	state  scanState
	escape bool   // the next byte of the string is escaped
	length int    // of the string or number so far
	name   []byte // the member's name so far, as it is written
	coded  bool   // that name has an escape
	member bool   // the next string is a member's name
}

// nesting is an object or array that is open.
type nesting struct {
	object bool
	names  int // where its names begin
}

type scanState byte

const (
	between scanState = iota
	inName
	inText
	inNumber // or true, false and null
)

func newScanner(l limits) *scanner { return &scanner{limits: l, seed: maphash.MakeSeed()} }

// Write implements io.Writer. The error is a *refusal.
func (s *scanner) Write(part []byte) (int, error) {
	if s.read += len(part); s.read > s.limits.bytes {
		return 0, tooLarge("more than %d bytes", s.limits.bytes)
	}
	for rest := part; len(rest) > 0; {
		n, err := s.step(rest)
		if err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(part), nil
}

// step takes the bytes that belong together, at least one.
func (s *scanner) step(rest []byte) (int, error) {
	switch s.state {
	case inName, inText:
		return s.inString(rest)
	case inNumber:
		return s.inNumber(rest)
	}
	return 1, s.structure(rest[0])
}

func (s *scanner) inString(rest []byte) (int, error) {
	if s.escape {
		s.escape = false
		return 1, s.text(rest[:1])
	}
	n := 0
	for n < len(rest) && rest[n] != '"' && rest[n] != '\\' {
		n++
	}
	switch {
	case n == len(rest):
		return n, s.text(rest)
	case rest[n] == '\\':
		s.escape, s.coded = true, true
		return n + 1, s.text(rest[:n+1])
	}
	err := s.text(rest[:n])
	if err == nil && s.state == inName {
		err = s.endName()
	}
	s.state = between
	return n + 1, err
}

func (s *scanner) text(part []byte) error {
	s.length += len(part)
	if s.state == inName {
		if s.length > s.limits.name {
			return tooLarge("a member's name of more than %d bytes", s.limits.name)
		}
		s.name = append(s.name, part...)
		return nil
	}
	if s.length > s.limits.text {
		return tooLarge("a string of more than %d bytes", s.limits.text)
	}
	return nil
}

// endName remembers a name by what it means: "\u0061" is "a".
func (s *scanner) endName() error {
	name := s.name
	// Decoders take each byte that is not UTF-8 for the same letter.
	if s.coded || !utf8.Valid(name) {
		var meant string
		if err := json.Unmarshal(slices.Concat([]byte{'"'}, name, []byte{'"'}), &meant); err != nil {
			return malformed("a member's name is no JSON string")
		}
		name = []byte(meant)
	}
	// In JSON, each has a value that counts. The names of other texts are kept, too.
	if len(s.names) >= s.limits.values {
		return tooLarge("more than %d members", s.limits.values)
	}
	s.names = append(s.names, maphash.Bytes(s.seed, name))
	return nil
}

func (s *scanner) inNumber(rest []byte) (int, error) {
	n := 0
	for n < len(rest) && strings.IndexByte("{}[],:\" \t\r\n", rest[n]) < 0 {
		n++
	}
	if s.length += n; s.length > s.limits.number {
		return 0, tooLarge("a number of more than %d bytes", s.limits.number)
	}
	if n == len(rest) {
		return n, nil
	}
	s.state = between
	return n + 1, s.structure(rest[n])
}

func (s *scanner) structure(c byte) error {
	switch c {
	case ' ', '\t', '\r', '\n':
		return nil
	case '{', '[':
		return s.begin(c == '{')
	case '}', ']':
		return s.end()
	case ',':
		s.member = len(s.open) > 0 && s.open[len(s.open)-1].object
		return nil
	case ':':
		s.member = false
		return nil
	case '"':
		s.length, s.name, s.coded = 0, s.name[:0], false
		if s.member {
			s.state = inName
			return nil
		}
		s.state = inText
		return s.value()
	}
	s.state, s.length = inNumber, 1
	return s.value()
}

func (s *scanner) reset() {
	*s = scanner{limits: s.limits, seed: s.seed, open: s.open[:0], names: s.names[:0], name: s.name[:0]}
}

func (s *scanner) value() error {
	if s.values++; s.values > s.limits.values {
		return tooLarge("more than %d values", s.limits.values)
	}
	return nil
}

func (s *scanner) begin(object bool) error {
	s.open = append(s.open, nesting{object, len(s.names)})
	if s.member = object; len(s.open) > s.limits.depth {
		return tooLarge("objects and arrays more than %d deep", s.limits.depth)
	}
	return s.value()
}

// end closes an object or array. Which of two members with one name counts is up
// to who reads them (RFC 8259, section 4), so that none of the two does.
func (s *scanner) end() error {
	s.member = false
	if len(s.open) == 0 {
		return malformed("an object or array ends that has not begun")
	}
	last := s.open[len(s.open)-1]
	own := s.names[last.names:]
	slices.Sort(own)
	for i := range len(own) - 1 {
		if own[i] == own[i+1] {
			return malformed("an object has two members of one name")
		}
	}
	s.open, s.names = s.open[:len(s.open)-1], s.names[:last.names]
	return nil
}
