// Package nameserver answers questions of DNS from a table, for tests of what
// has to resolve names. It takes them by UDP alone.
package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers for as long as its test runs.
type Server struct {
	addresses map[string][]netip.Addr

	mu    sync.Mutex
	asked []string
}

// ttl is that of all answers, in seconds.
const ttl = 5

// Serve answers what comes to conn. The table has absolute names, such as
// "web.default.svc.cluster.local.", and "*.example.com." for each name below
// example.com that has no entry of its own. No other name exists (RFC 2308).
func Serve(t *testing.T, conn net.PacketConn, table map[string][]netip.Addr) *Server {
	t.Helper()
	s := &Server{addresses: table}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // of an answer that is not awaited any more
			}
			if answer, err := s.answer(buffer[:n]); err == nil {
				_, _ = conn.WriteTo(answer, from) // who has gone asks again, if at all
			}
		}
	}()
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return s
}

// Asked returns the names that were asked for, in order, each question of an
// address type once.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *Server) answer(request []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(request); err != nil {
		return nil, err
	}
	if len(m.Questions) != 1 {
		return nil, fmt.Errorf("%d questions", len(m.Questions))
	}
	question := m.Questions[0]
	name := strings.ToLower(question.Name.String())
	s.mu.Lock()
	s.asked = append(s.asked, name)
	s.mu.Unlock()
	addresses, exists := s.find(name)
	answer := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: m.ID, Response: true, Authoritative: true, RecursionDesired: m.RecursionDesired, RecursionAvailable: true,
		},
		Questions: m.Questions,
	}
	if !exists {
		answer.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		if body := resource(a); typeOf(body) == question.Type {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: ttl},
				Body:   body,
			})
		}
	}
	return answer.Pack()
}

func (s *Server) find(name string) (addresses []netip.Addr, exists bool) {
	if addresses, exists = s.addresses[name]; exists {
		return addresses, true
	}
	for rest := name; rest != "" && !exists; {
		_, rest, _ = strings.Cut(rest, ".")
		addresses, exists = s.addresses["*."+rest]
	}
	return addresses, exists
}

func resource(a netip.Addr) dnsmessage.ResourceBody {
	if a.Is4() {
		return &dnsmessage.AResource{A: a.As4()}
	}
	return &dnsmessage.AAAAResource{AAAA: a.As16()}
}

func typeOf(body dnsmessage.ResourceBody) dnsmessage.Type {
	if _, ok := body.(*dnsmessage.AResource); ok {
		return dnsmessage.TypeA
	}
	return dnsmessage.TypeAAAA
}
