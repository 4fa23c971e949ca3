package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/sync/errgroup"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/sidecar/original"
)

// Options says what a Sidecar works with. The Bootstrap alone is what an
// injected pod has; the rest lets a sidecar run elsewhere.
type Options struct {
	// Bootstrap is the config that the injector wrote. A listener without an
	// address is not opened.
	Bootstrap injector.Bootstrap
	// Incremental asks by DeltaSecrets; by StreamSecrets when false.
	Incremental bool
	// Mute has it acknowledge nothing that it gets, as one that hangs.
	Mute bool
	// Application is the host:port that inbound requests go to. When empty, they
	// go where they were sent to; without interception to that port on 127.0.0.1.
	Application string
	// Dial connects to the SDS server and to peers; over TCP when nil.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Listen opens a listener; over TCP when nil.
	Listen func(address string) (net.Listener, error)
	// ReadFile reads the token and the CA file; os.ReadFile when nil.
	ReadFile func(name string) ([]byte, error)
	// OriginalDestination tells where a connection was going before it was led
	// to the sidecar, if it was; it asks the kernel when nil. It is not asked
	// where the Bootstrap says that nothing is intercepted.
	OriginalDestination func(net.Conn) (netip.AddrPort, bool)
	// OwnAddress tells whether a connection came in for an address of the pod;
	// the address that it was accepted at is, and no address of loopback, when
	// nil.
	OwnAddress func(net.Conn, netip.Addr) bool
	// Logger gets what happens; slog.Default when nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if o.Listen == nil {
		o.Listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	if o.OriginalDestination == nil {
		o.OriginalDestination = original.Destination
	}
	if o.OwnAddress == nil {
		o.OwnAddress = isAcceptedAt
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Sidecar is a proxy of the mesh.
type Sidecar struct {
	options     Options
	trustDomain spiffeid.TrustDomain
	counters    counters
	connections *connections
	peers       *peers
	declared    declared
	undeclared  undeclared

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed when state is replaced

	quit chan struct{} // closed when Run is to end
	end  func()        // closes quit
}

// counters are what /certs tells beside the state.
type counters struct {
	sessions, updates, nacks  atomic.Int64
	inbound, outbound, denied atomic.Int64
	connected                 atomic.Bool
	lastError                 atomic.Pointer[string]
}

// New returns a Sidecar that works once Run runs.
func New(o Options) (*Sidecar, error) {
	id, err := spiffeid.FromString(o.Bootstrap.Identity)
	if err != nil {
		return nil, fmt.Errorf("the bootstrap config's identity: %w", err)
	}
	quit := make(chan struct{})
	return &Sidecar{
		options:     o.withDefaults(),
		trustDomain: id.TrustDomain(),
		connections: newConnections(),
		peers:       newPeers(),
		changed:     make(chan struct{}),
		quit:        quit,
		end:         sync.OnceFunc(func() { close(quit) }),
	}, nil
}

// Run works until ctx ends, a client in the pod asks it to quit, or a listener
// fails.
func (s *Sidecar) Run(ctx context.Context) error {
	services, err := s.services()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	for _, service := range services {
		group.Go(func() error { return service.run(ctx) })
	}
	group.Go(func() error {
		s.follow(ctx)
		return nil
	})
	group.Go(func() error {
		select {
		case <-s.quit:
			stop()
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

// State returns what the sidecar holds now.
func (s *Sidecar) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Wait returns the first state from now on that is as wished: [State.Ready], or
// another certificate than before. It fails when ctx ends.
func (s *Sidecar) Wait(ctx context.Context, wished func(State) bool) (State, error) {
	for {
		s.mu.Lock()
		state, changed := s.state, s.changed
		s.mu.Unlock()
		if wished(state) {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return state, fmt.Errorf("wait for the secrets of %s (last error: %s): %w", s.options.Bootstrap.Identity, s.lastError(), ctx.Err())
		}
	}
}

// replace makes a state that of the sidecar. Connections that were accepted by a
// root that is not trusted any more end, unless it was replaced in good time.
func (s *Sidecar) replace(state State) {
	s.mu.Lock()
	before := s.state
	s.state = state
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	if n := s.connections.follow(before.bundle, state); n > 0 {
		s.options.Logger.Info("ended connections of a root that is not trusted any more", "number", n)
	}
}

func (s *Sidecar) lastError() string {
	if text := s.counters.lastError.Load(); text != nil {
		return *text
	}
	return "none"
}
