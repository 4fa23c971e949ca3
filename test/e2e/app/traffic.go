package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// pause is between the end of a call and the next.
const pause = 5 * time.Millisecond

// traffic calls a URL again and again, each time by a new connection, until it
// is told to end. Its zero value is ready to use.
type traffic struct {
	mu   sync.Mutex
	end  context.CancelFunc // nil while there is none
	told chan tally
}

// tally is what became of the calls.
type tally struct {
	calls, failures int
	last            string // of the failures
}

func (t *traffic) begin(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end != nil {
		http.Error(w, "there is traffic already", http.StatusConflict)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.end, t.told = cancel, make(chan tally, 1)
	go func() { t.told <- callUntil(ctx, r.FormValue("url"), r.FormValue("want")) }()
}

// finish tells the tally, in one line.
func (t *traffic) finish(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == nil {
		http.Error(w, "there is no traffic", http.StatusConflict)
		return
	}
	t.end()
	t.end = nil
	tally := <-t.told
	fmt.Fprintf(w, "calls=%d failures=%d last=%q", tally.calls, tally.failures, tally.last)
}

func callUntil(ctx context.Context, url, want string) (t tally) {
	for ctx.Err() == nil {
		t.calls++
		if err := callFor(url, want); err != nil {
			t.failures++
			t.last = time.Now().Format(time.TimeOnly) + " " + err.Error()
		}
		time.Sleep(pause)
	}
	return t
}

func callFor(url, want string) error {
	response, err := direct.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && string(body) != want {
		err = fmt.Errorf("%s answers %s %q, not %q", url, response.Status, body, want)
	}
	return err
}
