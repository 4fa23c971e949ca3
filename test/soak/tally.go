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

// snapshot is what there was up to a moment.
type snapshot struct{ handshakes, failures, kills int64 }

func (t *tally) snapshot() snapshot {
	return snapshot{t.handshakes.Load(), t.failures.Load(), t.kills.Load()}
}

// since says what has happened since an earlier one.
func (s snapshot) since(before snapshot) string {
	return fmt.Sprintf("%d handshakes, %d failures, %d kills", s.handshakes-before.handshakes, s.failures-before.failures, s.kills-before.kills)
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
