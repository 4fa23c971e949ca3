package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// shown is how many failures are printed.
const shown = 20

// tally counts what happens. Its zero value is ready to use.
type tally struct {
	handshakes, failures atomic.Int64
	kills                atomic.Int64

	mu        sync.Mutex
	rotations int
	slowest   time.Duration
}

// fail counts a failure, and prints it if it is one of the first.
func (t *tally) fail(format string, args ...any) {
	if t.failures.Add(1) <= shown {
		fmt.Printf("FAILURE "+format+"\n", args...)
	}
}

func (t *tally) rotated(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rotations++
	t.slowest = max(t.slowest, took)
}

// String is the last line.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("handshakes=%d failures=%d rotations=%d slowest=%s",
		t.handshakes.Load(), t.failures.Load(), t.rotations, t.slowest.Round(100*time.Millisecond))
}
