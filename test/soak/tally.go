package main

import (
	"errors"
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
	pipy                 atomic.Int64 // of the handshakes, those of a Pipy
	requests             atomic.Int64 // from a Pipy to another
	wrong                atomic.Int64 // of the failures, those with another identity
	newcomers            atomic.Int64 // certificates that had just begun, and were refused where clocks were behind
	unready              atomic.Int64 // pairs that were passed over after a suspension

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

// failHandshake counts a handshake that failed.
func (t *tally) failHandshake(err error, format string, args ...any) {
	if errors.As(err, new(wrongIdentity)) {
		t.wrong.Add(1)
	}
	t.fail(format, args...)
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
	return fmt.Sprintf("handshakes=%d pipy=%d pipy-requests=%d failures=%d newcomers=%d wrong=%d rotations=%d slowest=%s kills=%d",
		t.handshakes.Load(), t.pipy.Load(), t.requests.Load(), t.failures.Load(), t.newcomers.Load(), t.wrong.Load(), t.rotations, t.slowest.Round(100*time.Millisecond), t.kills.Load())
}
