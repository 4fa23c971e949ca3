package issuer

import (
	"container/heap"
	"context"
	"time"
)

// queue holds entries in the order in which they fall due. The Manager's lock
// guards it.
type queue []*entry

// put places the entry by when it falls due now.
func (q *queue) put(e *entry, due time.Time) {
	e.due = due.Round(0) // without the reading of the monotonic clock
	if e.place == outside {
		heap.Push(q, e)
		return
	}
	heap.Fix(q, e.place)
}

func (q *queue) remove(e *entry) {
	if e.place != outside {
		heap.Remove(q, e.place)
	}
}

// outside is the place of an entry that is not in the queue.
const outside = -1

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
	e.place = len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.place = outside
	return e
}

// schedule has Run look at the entry when it falls due.
func (m *Manager) schedule(e *entry, due time.Time) {
	m.queue.put(e, due)
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

// takeDue takes the first entry out of the queue, or says when to look again.
// While the issuer fails, the queue stands still but for its probes.
func (m *Manager) takeDue() (*entry, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		return nil, m.options.LongestSleep
	}
	first := m.queue[0]
	wait := max(time.Until(first.due), m.circuit.wait(time.Now()))
	if wait > 0 {
		return nil, min(wait, m.options.LongestSleep)
	}
	m.queue.remove(first)
	m.wakeWorker() // another one, for what is first now
	return first, 0
}
