package conformance

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/testkit"
)

// anywhere says that the same may answer at every address, and notes which were
// asked about.
type anywhere struct {
	mu         sync.Mutex
	identities []identity.Identity
	watchers   []chan<- struct{}
	asked      []netip.Addr
}

// At implements sds.Destinations.
func (a *anywhere) At(netip.Addr) []identity.Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identities
}

// Watch implements sds.Destinations.
func (a *anywhere) Watch(address netip.Addr, changed chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers, a.asked = append(a.watchers, changed), append(a.asked, address)
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

func callsOnlyWhoIsExpected(t *testing.T, program string) {
	m := newMesh(t, program)
	p := m.start(nil)
	m.reference()
	p.waitReady(pipyAddress)
	accept(t, m.otherPod, "[::]:9000", echo)
	const line = "\x00\x01ping\n"
	reaches := func(address string) bool {
		t.Helper()
		conn, err := dial(m.pipyPod, address)
		if errors.Is(err, syscall.ECONNRESET) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(timeLimit)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			return false
		}
		answer := make([]byte, len(line))
		n, _ := conn.Read(answer)
		return string(answer[:n]) == line
	}
	store, other := identityOf(t, "bookstore", "bookstore-v2"), identityOf(t, "bank", "teller")
	m.destinations.set()
	if reaches("10.0.0.2:9000") {
		t.Error("someone was reached where no one is known")
	}
	time.AfterFunc(500*time.Millisecond, func() { m.destinations.set(store) })
	if !reaches("10.0.0.2:9000") {
		t.Error("who came to be known while the connection waited was not reached")
	}
	if !reaches("[fd00::2]:9000") {
		t.Error("no one was reached by IPv6")
	}
	m.destinations.set(other)
	testkit.Eventually(t, "another client is expected", func() bool { return !reaches("10.0.0.2:9000") })
	m.destinations.set(other, store)
	testkit.Eventually(t, "either is expected", func() bool { return reaches("10.0.0.2:9000") })
	m.stop()
	testkit.Eventually(t, "noticed", func() bool { return !p.report().Connected })
	if !reaches("10.0.0.2:9000") {
		t.Error("who was expected before is not reached without a control plane")
	}
	if r := p.report(); r.Denied == 0 || r.NACKs > 0 {
		t.Errorf("%+v", r)
	}
}
