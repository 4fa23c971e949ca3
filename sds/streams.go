package sds

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

// Stream is one that is open, of an attested proxy.
type Stream struct {
	Proxy Proxy
	Since time.Time
	// Acked is when the proxy last accepted what it was sent; zero before the
	// first time.
	Acked time.Time
}

// streams are those that are open, by their pods.
type streams struct {
	limits Limits

	mu   sync.Mutex
	pods map[types.UID]*podStreams
}

// podStreams is what a pod holds, while it holds anything.
type podStreams struct {
	conns     []*conn       // on which it was attested, the oldest first
	open      []*openStream // the oldest first
	addresses int           // that they ask about
	requests  *rate.Limiter
}

type openStream struct {
	all       *streams
	proxy     Proxy
	conn      *conn
	pod       *podStreams
	since     time.Time
	acked     atomic.Int64  // Unix seconds, 0 before the first
	refused   chan *Refusal // holds why it has to end
	addresses int           // that it asks about
	dropped   bool          // no longer counted
}

// add counts a stream of an attested proxy, within the limits of its pod. A pod
// that is at a limit loses its oldest connections to a new one: those may be left
// from before its network failed. What it has on the same connection it keeps.
func (s *streams) add(proxy Proxy, c *conn) (*openStream, error) {
	if err := c.door.know(c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := s.pods[proxy.PodUID]
	if pod == nil {
		pod = &podStreams{requests: rate.NewLimiter(requestsPerSecond, requestBurst)}
	}
	if !slices.Contains(pod.conns, c) {
		if !c.onClose(func() { s.leave(proxy.PodUID, pod, c) }) {
			return nil, errClosed
		}
		pod.conns = append(pod.conns, c)
		s.pods[proxy.PodUID] = pod
	}
	for len(pod.conns) > s.limits.PodConnections {
		pod.displace(c)
	}
	for len(pod.open) >= s.limits.PodStreams {
		if !pod.displace(c) {
			return nil, refuse(ReasonStreams, "pod %s/%s has %d streams on this connection, which is the limit", proxy.Namespace, proxy.PodName, len(pod.open))
		}
	}
	o := &openStream{all: s, proxy: proxy, conn: c, pod: pod, since: time.Now(), refused: make(chan *Refusal, 1)}
	pod.open = append(pod.open, o)
	return o, nil
}

// displace closes the oldest connection but the given one, and counts nothing of
// it any more. It reports whether there was one.
func (p *podStreams) displace(but *conn) bool {
	at := slices.IndexFunc(p.conns, func(c *conn) bool { return c != but })
	if at < 0 {
		return false
	}
	old := p.conns[at]
	p.conns = slices.Delete(p.conns, at, at+1)
	for _, o := range slices.Clone(p.open) {
		if o.conn == old {
			p.drop(o)
		}
	}
	go old.displace() // which takes the lock of streams
	return true
}

// drop counts nothing of the stream any more. It is idempotent.
func (p *podStreams) drop(o *openStream) {
	if at := slices.Index(p.open, o); at >= 0 {
		p.open = slices.Delete(p.open, at, at+1)
		p.addresses -= o.addresses
		o.dropped = true
	}
}

// leave forgets a connection that was closed, and a pod that has no other.
func (s *streams) leave(uid types.UID, pod *podStreams, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := slices.Index(pod.conns, c); at >= 0 {
		pod.conns = slices.Delete(pod.conns, at, at+1)
	}
	if len(pod.conns) == 0 && s.pods[uid] == pod {
		delete(s.pods, uid)
	}
}

func (s *streams) remove(o *openStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.pod.drop(o)
}

func (o *openStream) ack() { o.acked.Store(time.Now().Unix()) }

// reserve counts one more address that the stream asks about, and reports
// whether its pod may.
func (o *openStream) reserve() bool {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	for !o.dropped && o.pod.addresses >= o.all.limits.PodAddresses {
		if !o.pod.displace(o.conn) {
			return false
		}
	}
	if !o.dropped {
		o.pod.addresses++
		o.addresses++
	}
	return true
}

// release undoes reserve.
func (o *openStream) release() {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	if !o.dropped {
		o.pod.addresses--
		o.addresses--
	}
}

// end has the stream end for the reason, unless it ends for another.
func (o *openStream) end(why *Refusal) {
	select {
	case o.refused <- why:
	default:
	}
}

func (s *streams) list() []*openStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*openStream
	for _, pod := range s.pods {
		all = append(all, pod.open...)
	}
	return all
}

// Streams returns the open ones, in no order.
func (s *Server) Streams() []Stream {
	open := s.streams.list()
	all := make([]Stream, len(open))
	for i, o := range open {
		all[i] = Stream{Proxy: o.proxy, Since: o.since}
		if acked := o.acked.Load(); acked != 0 {
			all[i].Acked = time.Unix(acked, 0)
		}
	}
	return all
}
