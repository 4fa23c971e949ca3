package sds

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stream is one that is open, of an attested proxy.
type Stream struct {
	Proxy Proxy
	Since time.Time
	// Acked is when the proxy last accepted what it was sent; zero before the
	// first time.
	Acked time.Time
}

// streams are those that are open.
type streams struct {
	mu   sync.Mutex
	open map[*openStream]struct{}
}

type openStream struct {
	proxy Proxy
	since time.Time
	acked atomic.Int64 // Unix seconds, 0 before the first
}

func (s *streams) add(proxy Proxy) *openStream {
	o := &openStream{proxy: proxy, since: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[*openStream]struct{}{}
	}
	s.open[o] = struct{}{}
	return o
}

func (s *streams) remove(o *openStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, o)
}

func (o *openStream) ack() { o.acked.Store(time.Now().Unix()) }

// Streams returns the open ones, in no order.
func (s *Server) Streams() []Stream {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	all := make([]Stream, 0, len(s.streams.open))
	for o := range s.streams.open {
		stream := Stream{Proxy: o.proxy, Since: o.since}
		if acked := o.acked.Load(); acked != 0 {
			stream.Acked = time.Unix(acked, 0)
		}
		all = append(all, stream)
	}
	return all
}
