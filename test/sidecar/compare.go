package sidecar

import "bytes"

// Recognise tells what a connection that begins so carries: "http", "other", or
// "undecided" if more has to be known. It is for comparison with other sidecars,
// as are ReadStrictly and Watch.
func Recognise(begin []byte) string {
	return map[protocol]string{undecided: "undecided", hypertext: "http", other: "other"}[recognise(begin)]
}

// ReadStrictly returns what of the parts comes through to a port that is declared
// HTTP, if all do.
func ReadStrictly(parts [][]byte) (through []byte, ok bool) {
	var s strict
	for _, part := range parts {
		more, err := s.take(part)
		if err != nil {
			return nil, false
		}
		through = append(through, more...)
	}
	return through, true
}

// Watch returns which of the parts, which are no HTTP, ends a connection whose
// application answers after each other one. It is the number of parts if none is.
func Watch(parts [][]byte, answer []byte) int {
	var said answers
	w := watch{answers: &said}
	for i, part := range parts {
		w.Reader = bytes.NewReader(part)
		if _, err := w.Read(make([]byte, len(part))); err == errHiddenRequest {
			return i
		}
		if i%2 == 1 {
			said.note(answer)
		}
	}
	return len(parts)
}
