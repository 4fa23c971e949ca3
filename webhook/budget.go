package webhook

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// waitTime is how long a request waits for its share of memory. The API server
// waits for an answer for a second at least, and by default for 5 (the chart's
// webhookTimeoutSeconds).
const waitTime = 2 * time.Second

// budget is memory that requests share, in bytes. No address has more than its
// share of it, nor of the queue for it.
type budget struct {
	all          *semaphore.Weighted
	total, share int64

	mu      sync.Mutex
	shares  map[string]*semaphore.Weighted // of the addresses that hold some or wait
	holders map[string]int
}

func newBudget(total, share int64) *budget {
	return &budget{
		all: semaphore.NewWeighted(total), total: total, share: share,
		shares: map[string]*semaphore.Weighted{}, holders: map[string]int{},
	}
}

// take waits for n bytes for an address. A request for more than there is gets a
// whole share, and so is alone with it.
func (b *budget) take(ctx context.Context, address string, n int64) error {
	n = min(n, b.share)
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	own := b.enter(address)
	if own.Acquire(ctx, n) != nil {
		b.leave(address)
		return errBusy()
	}
	if b.all.Acquire(ctx, n) != nil {
		own.Release(n)
		b.leave(address)
		return errBusy()
	}
	return nil
}

// give gives back what was taken.
func (b *budget) give(address string, n int64) {
	n = min(n, b.share)
	b.all.Release(n)
	b.leave(address).Release(n)
}

func (b *budget) enter(address string) *semaphore.Weighted {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.shares[address]
	if own == nil {
		own = semaphore.NewWeighted(b.share)
		b.shares[address] = own
	}
	b.holders[address]++
	return own
}

func (b *budget) leave(address string) *semaphore.Weighted {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.shares[address]
	if b.holders[address]--; b.holders[address] == 0 {
		delete(b.shares, address)
		delete(b.holders, address)
	}
	return own
}

func errBusy() error {
	return &refusal{http.StatusTooManyRequests, "the webhook is answering as much as it has memory for: try again"}
}
