package sidecar_test

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/sidecar"
)

// anywhere says that the same may answer at every address.
type anywhere struct {
	mu         sync.Mutex
	identities []identity.Identity
	watchers   []chan<- struct{}
}

// At implements sds.Destinations.
func (a *anywhere) At(netip.Addr) []identity.Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identities
}

// Watch implements sds.Destinations.
func (a *anywhere) Watch(_ netip.Addr, changed chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = append(a.watchers, changed)
}

// Unwatch implements sds.Destinations.
func (a *anywhere) Unwatch(netip.Addr, chan<- struct{}) {}

func (a *anywhere) set(identities ...identity.Identity) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identities = identities
	for _, changed := range a.watchers {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

func TestWhoAnswersAtAnAddressHasToBeWhoIsExpectedThere(t *testing.T) {
	for name, incremental := range map[string]bool{"state of the world": false, "incremental": true} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
				_, err := io.Copy(conn, conn)
				return err
			}), func(buyer, _ *sidecar.Options) { buyer.Incremental = incremental })
			store, other := identityOf(t, "bookstore", "bookstore-v2"), identityOf(t, "bank", "teller")
			p.destinations.set()
			time.AfterFunc(100*time.Millisecond, func() { p.destinations.set(store) }) // while the connection waits
			if got := say(t, p.call(), "\x00ping"); got != "\x00ping" {
				t.Fatalf("%q", got)
			}
			p.destinations.set(other)
			p.eventually(func() bool { return p.refused(t) })
			p.destinations.set(other, store)
			p.eventually(func() bool { return !p.refused(t) })
			p.stop() // the last answer counts while there is none
			if p.refused(t) {
				t.Error("refused without a control plane")
			}
		})
	}
}

// refused tells whether the store's application is not reached.
func (p *pods) refused(t *testing.T) bool {
	t.Helper()
	conn, err := p.dial(t.Context(), "buyer:15001")
	if err != nil {
		return true
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "\x00ping"); err != nil {
		return true
	}
	_, err = io.ReadFull(conn, make([]byte, 5))
	return err != nil
}

func (p *pods) eventually(yes func() bool) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatal("not in 20 seconds")
		}
	}
}
