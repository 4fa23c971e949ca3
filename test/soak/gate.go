package main

import (
	"net/http"
	"sync"
)

// gate holds back what this program asks of the API server while that is away:
// how long the mesh does without is to be seen, not what this program does then.
type gate struct{ open sync.RWMutex }

// wrap has requests wait at the gate.
func (g *gate) wrap(next http.RoundTripper) http.RoundTripper { return &gated{g, next} }

type gated struct {
	gate *gate
	next http.RoundTripper
}

// RoundTrip returns with the answer's head: a watch that goes on blocks none.
func (g *gated) RoundTrip(r *http.Request) (*http.Response, error) {
	g.gate.open.RLock()
	defer g.gate.open.RUnlock()
	return g.next.RoundTrip(r)
}
