package sidecar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
)

// maxHead is more than servers take for the head of a request.
const maxHead = 64 << 10

// stage is which part of a request comes next.
type stage int

const (
	headStage stage = iota
	bodyStage
	chunkSizeStage
	chunkStage
	chunkEndStage
	trailerStage
	rawStage // nothing is looked at: HTTP/2, or what an upgrade led to
)

// strict lets HTTP through, and nothing that two servers could read differently:
// HTTP/2 with prior knowledge, or requests as RFC 9112 has them without any of
// the leniency that it allows. A head comes through once it is whole.
type strict struct {
	stage   stage
	pending []byte // a head, or a line, that is not whole
	left    int64  // of the body or the chunk
	isHTTP2 bool
	served  int // heads that came through
}

// take returns what of said, and of what came before, may be read.
func (s *strict) take(said []byte) (through []byte, err error) {
	for len(said) > 0 {
		switch s.stage {
		case rawStage:
			through, s.pending = append(append(through, s.pending...), said...), nil
			return through, nil
		case bodyStage, chunkStage:
			n := min(int64(len(said)), s.left)
			through, said, s.left = append(through, said[:n]...), said[n:], s.left-n
			if s.left == 0 {
				s.stage = map[stage]stage{bodyStage: headStage, chunkStage: chunkEndStage}[s.stage]
			}
		case headStage:
			through, said, err = s.takeHead(through, said)
		default:
			through, said, err = s.takeLine(through, said)
		}
		if err != nil {
			return nil, err
		}
	}
	return through, nil
}

// takeHead takes in what belongs to a head.
func (s *strict) takeHead(through, said []byte) (out, rest []byte, err error) {
	const end = "\r\n\r\n"
	searched := max(0, len(s.pending)-len(end)+1)
	s.pending = append(s.pending, said...)
	if s.served == 0 && strings.HasPrefix(preface, string(s.pending[:min(len(s.pending), len(preface))])) {
		if len(s.pending) < len(preface) {
			return through, nil, nil
		}
		s.stage, s.isHTTP2 = rawStage, true
		through, s.pending = append(through, s.pending...), nil
		return through, nil, nil
	}
	i := bytes.Index(s.pending[searched:], []byte(end))
	if i < 0 {
		if len(s.pending) > maxHead {
			return nil, nil, errors.New("a head of more than 64 KiB")
		}
		return through, nil, checkBegin(s.pending)
	}
	length := searched + i + len(end)
	head := s.pending[:length]
	rest = said[len(said)-(len(s.pending)-length):]
	r, err := readHead(string(head[:length-len(end)]))
	if err != nil {
		return nil, nil, err
	}
	s.stage, s.left, s.pending, s.served = r.next(), r.length, nil, s.served+1
	return append(through, withoutUpgrades(head)...), rest, nil
}

// withoutUpgrades drops the lines of a head that ask for an upgrade to HTTP, as
// Pipy's scripts have to. A server may take no notice of one (RFC 9110, section
// 7.8).
func withoutUpgrades(head []byte) []byte {
	kept := make([]byte, 0, len(head))
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r\n")), []byte(":"))
		if len(kept) > 0 && strings.EqualFold(string(name), "Upgrade") && leadsToHTTP([]string{strings.Trim(string(value), " \t")}) {
			continue
		}
		kept = append(kept, line...)
	}
	return kept
}

// checkBegin refuses early what cannot become a request.
func checkBegin(begin []byte) error {
	line, _, _ := bytes.Cut(begin, []byte("\r"))
	for i, c := range line {
		if c < ' ' && c != '\t' || c >= 0x7f || i == 0 && !isToken(rune(c)) {
			return errors.New("no request line")
		}
	}
	return nil
}

// takeLine takes in what belongs to a line within a chunked body.
func (s *strict) takeLine(through, said []byte) (out, rest []byte, err error) {
	i := bytes.IndexByte(said, '\n')
	if i < 0 {
		s.pending = append(s.pending, said...)
		if len(s.pending) > maxHead {
			err = errors.New("a line of more than 64 KiB within a body")
		}
		return through, nil, err
	}
	line := append(s.pending, said[:i+1]...)
	text, ended := strings.CutSuffix(string(line), "\r\n")
	if !ended {
		return nil, nil, errors.New("a line within a body that does not end in CR and LF")
	}
	s.pending, rest = nil, said[i+1:]
	switch s.stage {
	case chunkSizeStage:
		s.left, err = chunkSize(text)
		s.stage = chunkStage
		if s.left == 0 {
			s.stage = trailerStage
		}
	case chunkEndStage:
		s.stage = chunkSizeStage
		if text != "" {
			err = errors.New("a chunk that is longer than its size")
		}
	case trailerStage:
		if text == "" {
			s.stage = headStage
			break
		}
		_, _, err = field(text)
		line = nil // what it says would be believed by few
	}
	return append(through, line...), rest, err
}

// chunkSize takes no extensions, of which there is no use.
func chunkSize(text string) (int64, error) {
	size, err := strconv.ParseUint(text, 16, 48)
	if err != nil || len(text) > 12 {
		return 0, fmt.Errorf("a chunk size of %.20q", text)
	}
	return int64(size), nil
}

// strictReader reads a connection through strict.
type strictReader struct {
	strict
	io.Reader
	through  []byte
	upgraded atomic.Bool // what follows is what the application agreed to
}

// Read implements io.Reader.
func (r *strictReader) Read(p []byte) (int, error) {
	for len(r.through) == 0 {
		n, err := r.Reader.Read(p)
		if r.upgraded.Load() {
			r.stage = rawStage
		}
		through, refusal := r.take(p[:n])
		if refusal != nil {
			return 0, fmt.Errorf("what came to a port that is declared HTTP: %w", refusal)
		}
		r.through = through
		if err != nil {
			return r.some(p), err
		}
	}
	return r.some(p), nil
}

func (r *strictReader) some(p []byte) int {
	n := copy(p, r.through)
	r.through = r.through[n:]
	return n
}
