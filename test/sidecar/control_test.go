package sidecar_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

// control is a control plane in memory, and the network and the files of its
// pods.
type control struct {
	t       *testing.T
	manager *issuer.Manager
	first   issuer.Issuer // that signs at first
	serving func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	stop    context.CancelFunc // of the SDS server

	attested atomic.Int64

	tcp       bool // over loopback instead of memory
	mu        sync.Mutex
	listeners map[string]net.Listener // by address
	ca        []byte                  // what pods mount
	tokens    map[string]string       // by namespace/account; the one that counts
	group     errgroup.Group

	destinations *anywhere
}

const sdsAddress = "osm-controller.osm-system.svc:15128"

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{
		t:         t,
		manager:   issuer.NewManager(issuer.Options{Linger: 24 * time.Hour}),
		first:     testkit.CA(t),
		listeners: map[string]net.Listener{},
		tokens:    map[string]string{},

		destinations: &anywhere{identities: []identity.Identity{identityOf(t, "bookstore", "bookstore-v2")}},
	}
	c.trust("first", c.first)
	c.ca = c.manager.Bundle().PEM()
	c.serving = issuertest.Serving(c.manager, identityOf(t, "osm-system", "osm-controller"))
	ctx, cancel := context.WithCancel(context.Background())
	c.group.Go(func() error { return c.manager.Run(ctx) })
	c.serve()
	t.Cleanup(func() {
		cancel()
		c.stop()
		if err := c.group.Wait(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// trust has the Manager sign with one authority, and trust others too.
func (c *control) trust(name string, signer issuer.Issuer, others ...issuer.Issuer) {
	c.t.Helper()
	issuertest.Trust(c.t, c.manager, name, signer, others...)
}

// serve starts an SDS server.
func (c *control) serve() {
	c.t.Helper()
	listener, err := c.listen(sdsAddress)
	if err != nil {
		c.t.Fatal(err)
	}
	server, err := sds.New(sds.Options{
		Listener:       listener,
		Source:         c.manager,
		Attestor:       c,
		GetCertificate: c.serving,
		Destinations:   c.destinations,
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.group.Go(func() error { return server.Run(ctx) })
}

// Attest takes a token that names its service account and is the last of it.
func (c *control) Attest(_ context.Context, token string) (sds.Proxy, error) {
	c.attested.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	account, _, _ := strings.Cut(token, " of ")
	if c.tokens[account] != token {
		return sds.Proxy{}, status.Error(codes.Unauthenticated, "an old token")
	}
	namespace, name, _ := strings.Cut(account, "/")
	id, err := identity.New("cluster.local", namespace, name)
	return sds.Proxy{Identity: id}, err
}

// Current implements sds.Attestor.
func (c *control) Current(context.Context, sds.Proxy) error { return nil }

// renewToken is what the kubelet does.
func (c *control) renewToken(account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[account] = fmt.Sprintf("%s of %s", account, time.Now())
}

func (c *control) mount(ca []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ca = ca
}

func (c *control) listen(address string) (net.Listener, error) {
	var l net.Listener = bufconn.Listen(64 << 10)
	if c.tcp {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners[address] = l
	return l, nil
}

var errRefused = errors.New("connection refused")

func (c *control) dial(ctx context.Context, address string) (net.Conn, error) {
	c.mu.Lock()
	l := c.listeners[address]
	c.mu.Unlock()
	if l == nil {
		return nil, errRefused
	}
	if memory, ok := l.(*bufconn.Listener); ok {
		return memory.DialContext(ctx)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
}

func identityOf(t testing.TB, namespace, account string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// bootstrap is the config that the injector writes into a pod.
func bootstrap(t testing.TB, namespace, account string) injector.Bootstrap {
	t.Helper()
	b, err := injector.ParseBootstrap([]byte(strings.NewReplacer("NAMESPACE", namespace, "ACCOUNT", account).Replace(`{
		"mesh": "osm", "trustDomain": "cluster.local", "proxy": "1f0c2d1e-93f6-4f3a-8a53-4a1c38f1c1a0",
		"identity": "spiffe://cluster.local/ns/NAMESPACE/sa/ACCOUNT", "logLevel": "warn", "interception": "none",
		"sds": {
			"address": "osm-controller.osm-system.svc:15128",
			"serverName": "osm-controller.osm-system.cluster.local",
			"serverIdentity": "spiffe://cluster.local/ns/osm-system/sa/osm-controller",
			"tokenFile": "/var/run/osm/token", "caFile": "/var/run/osm/ca.crt",
			"certificate": "service-cert:NAMESPACE/ACCOUNT", "validation": "root-cert-for-mtls-inbound:NAMESPACE/ACCOUNT"
		},
		"inbound": {"listen": [":15003"]}, "outbound": {"listen": ["127.0.0.1:15001", "[::1]:15001"]},
		"admin": {"listen": ["127.0.0.1:15000"]}, "readiness": {"listen": [":15902"]}, "metrics": {"listen": [":15010"]}
	}`)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// options are those of a pod with the host's name in every listener's address.
func (c *control) options(host, namespace, account string) sidecar.Options {
	c.t.Helper()
	c.renewToken(namespace + "/" + account)
	b := bootstrap(c.t, namespace, account)
	return sidecar.Options{
		Bootstrap: b,
		Dial:      c.dial,
		Listen: func(address string) (net.Listener, error) {
			name, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if name == "::1" {
				return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRNOTAVAIL)
			}
			return c.listen(net.JoinHostPort(host, port))
		},
		ReadFile: func(name string) ([]byte, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			switch name {
			case b.SDS.TokenFile:
				return []byte(c.tokens[namespace+"/"+account] + "\n"), nil
			case b.SDS.CAFile:
				return c.ca, nil
			}
			return nil, fs.ErrNotExist
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// run runs a sidecar to the end of the test.
func (c *control) run(o sidecar.Options) *sidecar.Sidecar {
	c.t.Helper()
	s, err := sidecar.New(o)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
	})
	return s
}

func (c *control) wait(s *sidecar.Sidecar, wished func(sidecar.State) bool) sidecar.State {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	state, err := s.Wait(ctx, wished)
	if err != nil {
		c.t.Fatal(err)
	}
	return state
}

// handshake has the client call the server, and returns what each side says.
func handshake(t *testing.T, client, server *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	served := make(chan error)
	go func() {
		raw, err := l.Accept()
		if err == nil {
			conn := tls.Server(raw, server)
			if err = conn.HandshakeContext(t.Context()); err == nil {
				_, err = conn.Write([]byte("x"))
			}
			err = errors.Join(err, raw.Close())
		}
		served <- err
	}()
	raw, err := l.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, client)
	// With TLS 1.3 a server refuses a client after the client's part is done.
	if clientErr = conn.HandshakeContext(t.Context()); clientErr == nil {
		_, clientErr = conn.Read(make([]byte, 1))
	}
	raw.Close() // the server is done with it, too
	return clientErr, <-served
}
