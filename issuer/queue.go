package issuer

import (
	"container/heap"
	"context"
	"math"
	"time"
)

// queue holds entries in the order in which they fall due. The Manager's lock
// guards it. An entry is in one queue at most.
type queue []*entry

// put places the entry by when it falls due now.
func (q *queue) put(e *entry, due time.Time) {
	if e.queue != q {
		e.leaveQueue()
	}
	e.due = due.Round(0) // without the reading of the monotonic clock
	if e.queue == nil {
		heap.Push(q, e)
		return
	}
	heap.Fix(q, e.place)
}

// leaveQueue takes the entry out of the queue that it is in.
func (e *entry) leaveQueue() {
	if e.queue != nil {
		heap.Remove(e.queue, e.place)
	}
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.queue, e.place = q, len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.queue = nil
	return e
}

// schedule has Run look at the entry when it falls due. One that has its next
// certificate does not wait with those that need one.
func (m *Manager) schedule(e *entry, due time.Time) {
	q := &m.queue
	if e.next != nil {
		q = &m.handovers
	}
	q.put(e, due)
	if e.place == 0 {
		m.wakeWorker()
	}
}

func (m *Manager) wakeWorker() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// next waits for an entry that is due. Once ctx has ended there is none.
func (m *Manager) next(ctx context.Context) (*entry, bool) {
	for ctx.Err() == nil {
		e, wait := m.takeDue()
		if e != nil {
			return e, true
		}
		select {
		case <-time.After(wait):
		case <-m.wake:
		case <-ctx.Done():
		}
	}
	return nil, false
}

// takeDue takes the first entry out of a queue, or says when to look again.
// While the issuer fails, the queue of those that need it stands still but for
// its probes.
func (m *Manager) takeDue() (*entry, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, wait := m.handovers.takeDue(0)
	if first == nil {
		var other time.Duration
		first, other = m.queue.takeDue(m.circuit.wait(time.Now()))
		wait = min(wait, other)
	}
	if first == nil {
		return nil, min(wait, m.options.LongestSleep)
	}
	m.wakeWorker() // another one, for what is first now
	return first, 0
}

// takeDue takes out the first entry if it is due and the queue not closed, or
// returns how long that takes.
func (q *queue) takeDue(closed time.Duration) (*entry, time.Duration) {
	if len(*q) == 0 {
		return nil, math.MaxInt64
	}
	first := (*q)[0]
	if wait := max(time.Until(first.due), closed); wait > 0 {
		return nil, wait
	}
	first.leaveQueue()
	return first, 0
}
