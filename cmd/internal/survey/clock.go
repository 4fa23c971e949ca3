package survey

import (
	"net/http"
	"sync"
	"time"
)

// clock hears what time it is for the API server, from the first answer that
// says it.
type clock struct {
	mu          sync.Mutex
	here, there time.Time
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *clock) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		before := time.Now()
		response, err := next.RoundTrip(r)
		if err == nil {
			c.hear(response.Header.Get("Date"), before, time.Now())
		}
		return response, err
	})
}

// hear takes the time to have been told in the middle between question and
// answer. HTTP cuts it to whole seconds.
func (c *clock) hear(date string, before, after time.Time) {
	there, err := http.ParseTime(date)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.there.IsZero() {
		c.here, c.there = before.Add(after.Sub(before)/2), there.Add(time.Second/2)
	}
}

// read returns the time, and what it is for the API server; zero if it did not say.
func (c *clock) read() (here, there time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.there.IsZero() {
		return time.Now(), time.Time{}
	}
	return c.here, c.there
}
