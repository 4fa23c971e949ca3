package sds

import (
	"slices"
	"sync"
	"time"
)

// maxRefused is how many refusals are remembered.
const maxRefused = 50

// Refused is a refusal that was given.
type Refused struct {
	Time    time.Time
	Address string // that it was given to
	Reason  Reason
	// Message is what the proxy was told, which holds no secret.
	Message string
}

// refused remembers the latest refusals: a ring.
type refused struct {
	mu   sync.Mutex
	ring []Refused
	next int
}

func (r *refused) note(about Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < maxRefused {
		r.ring = append(r.ring, about)
		return
	}
	r.ring[r.next] = about
	r.next = (r.next + 1) % maxRefused
}

// Refusals returns the latest refusals, the last one first.
func (s *Server) Refusals() []Refused {
	r := &s.refused
	r.mu.Lock()
	defer r.mu.Unlock()
	latest := slices.Concat(r.ring[r.next:], r.ring[:r.next])
	slices.Reverse(latest)
	return latest
}
