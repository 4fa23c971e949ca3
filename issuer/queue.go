package issuer

import (
	"context"
	"sync"
)

// queue hands identities to workers, each once however often it was added
// before a worker took it.
type queue struct {
	mu      sync.Mutex
	waiting []Identity
	queued  map[Identity]struct{}
	filled  chan struct{} // one slot: something may be waiting
}

func newQueue() *queue {
	return &queue{queued: map[Identity]struct{}{}, filled: make(chan struct{}, 1)}
}

func (q *queue) add(id Identity) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.queued[id]; ok {
		return
	}
	q.queued[id] = struct{}{}
	q.waiting = append(q.waiting, id)
	q.wake()
}

// next waits for an identity. Once ctx has ended there is none, whatever waits.
func (q *queue) next(ctx context.Context) (Identity, error) {
	for ctx.Err() == nil {
		if id, ok := q.take(); ok {
			return id, nil
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
		}
	}
	return Identity{}, ctx.Err()
}

func (q *queue) take() (Identity, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return Identity{}, false
	}
	id := q.waiting[0]
	q.waiting = q.waiting[1:]
	delete(q.queued, id)
	if len(q.waiting) > 0 {
		q.wake()
	}
	return id, true
}

func (q *queue) wake() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}
