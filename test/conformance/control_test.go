package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/interception/nft"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	sidecarUID = 1500
	sdsPort    = 15128
	// timeLimit is for what takes a moment: connections, pushes, processes.
	timeLimit = 20 * time.Second
)

// mesh is a control plane and two pods, each in a network namespace of its own:
// one with the sidecar that is tested, whose connections are intercepted in both directions, and one
// with the reference sidecar, which takes what is intercepted on its way in.
type mesh struct {
	t       testing.TB
	program string // the sidecar that is tested
	manager *issuer.Manager
	serving func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	group   errgroup.Group
	stop    func() // ends the SDS server

	pipyPod, otherPod *netns.Namespace

	destinations *anywhere

	mu    sync.Mutex
	token string // the only good one
}

const (
	pipyAddress  = "10.0.0.1"
	otherAddress = "10.0.0.2"
)

// newMesh makes a mesh whose first pod is to have the program as its sidecar.
func newMesh(t testing.TB, program string) *mesh {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the sidecar has a user of its own, which takes root to become")
	}
	m := &mesh{t: t, program: program, manager: issuer.NewManager(issuer.Options{Linger: 24 * time.Hour}), pipyPod: netns.New(t), otherPod: netns.New(t)}
	m.token = "s3cret"
	m.destinations = &anywhere{identities: []identity.Identity{identityOf(t, "bookstore", "bookstore-v2")}}
	netns.Connect(t,
		netns.End{Namespace: m.pipyPod, Name: "eth0", Addresses: prefixes(pipyAddress+"/24", "fd00::1/64")},
		netns.End{Namespace: m.otherPod, Name: "eth0", Addresses: prefixes(otherAddress+"/24", "fd00::2/64")})
	m.trust("first", testkit.CA(t))
	m.serving = issuertest.Serving(m.manager, identityOf(t, "osm-system", "osm-controller"))
	ctx, cancel := context.WithCancel(context.Background())
	m.group.Go(func() error { return m.manager.Run(ctx) })
	m.serve()
	t.Cleanup(func() {
		cancel()
		m.stop()
		if err := m.group.Wait(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func prefixes(texts ...string) (prefixes []netip.Prefix) {
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

func identityOf(t testing.TB, namespace, account string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// trust has the Manager sign with one authority, and trust others too.
func (m *mesh) trust(name string, signer issuer.Issuer, others ...issuer.Issuer) {
	m.t.Helper()
	issuertest.Trust(m.t, m.manager, name, signer, others...)
}

// listen opens a listener of the namespace.
func listen(t testing.TB, n *netns.Namespace, address string) net.Listener {
	t.Helper()
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dial connects from the namespace.
func dial(n *netns.Namespace, address string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", address, timeLimit)
		return err
	})
	return conn, err
}

// serve starts an SDS server beside the reference sidecar.
func (m *mesh) serve() {
	m.t.Helper()
	server, err := sds.New(sds.Options{
		Listener:       listen(m.t, m.otherPod, net.JoinHostPort(otherAddress, fmt.Sprint(sdsPort))),
		Source:         m.manager,
		Attestor:       m,
		GetCertificate: m.serving,
		Destinations:   m.destinations,
		Logger:         slog.New(slog.DiscardHandler),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	m.stop = func() { cancel(); <-ended }
	m.group.Go(func() error {
		defer close(ended)
		return server.Run(ctx)
	})
}

// Attest takes "<token> of <namespace>/<account>".
func (m *mesh) Attest(_ context.Context, token string) (sds.Proxy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	said, account, _ := strings.Cut(token, " of ")
	if said != m.token {
		return sds.Proxy{}, status.Error(codes.Unauthenticated, "not the token of now")
	}
	namespace, name, _ := strings.Cut(account, "/")
	id, err := identity.New("cluster.local", namespace, name)
	return sds.Proxy{Identity: id}, err
}

// Current implements sds.Attestor.
func (m *mesh) Current(context.Context, sds.Proxy) error { return nil }

func (m *mesh) setToken(token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = token
}

// bootstrap is what the injector tells the sidecar of a service account.
func bootstrap(t testing.TB, directory, account string) injector.Bootstrap {
	t.Helper()
	name := strings.ReplaceAll(account, "/", "/sa/")
	b, err := injector.ParseBootstrap([]byte(strings.NewReplacer("NAME", name, "ACCOUNT", account, "DIRECTORY", directory).Replace(`{
		"mesh": "osm", "trustDomain": "cluster.local", "proxy": "1f0c2d1e-93f6-4f3a-8a53-4a1c38f1c1a0",
		"identity": "spiffe://cluster.local/ns/NAME", "logLevel": "info", "interception": "nftables",
		"sds": {
			"address": "10.0.0.2:15128",
			"serverName": "osm-controller.osm-system.cluster.local",
			"serverIdentity": "spiffe://cluster.local/ns/osm-system/sa/osm-controller",
			"tokenFile": "DIRECTORY/token", "caFile": "DIRECTORY/ca.crt",
			"certificate": "service-cert:ACCOUNT", "validation": "root-cert-for-mtls-inbound:ACCOUNT"
		},
		"inbound": {"listen": [":15003"]}, "outbound": {"listen": ["127.0.0.1:15001", "[::1]:15001"]},
		"admin": {"listen": ["127.0.0.1:15000"]}, "readiness": {"listen": [":15902"]}, "metrics": {"listen": [":15010"]}
	}`)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// proxy is a sidecar that runs.
type proxy struct {
	t         testing.TB
	n         *netns.Namespace
	directory string
	process   *exec.Cmd
	ended     chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// Write implements io.Writer for what it logs.
func (p *proxy) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(line)
}

func (p *proxy) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start starts the sidecar as bookbuyer/bookbuyer with what the kubelet would
// mount, after change, and intercepts the connections of its pod.
func (m *mesh) start(change func(*injector.Bootstrap)) *proxy {
	m.t.Helper()
	b := bootstrap(m.t, "/DIRECTORY", "bookbuyer/bookbuyer")
	if change != nil {
		change(&b)
	}
	p := &proxy{t: m.t, n: m.pipyPod, directory: m.volume(b), ended: make(chan error, 1)}
	p.mountScripts()
	m.intercept(m.pipyPod, everything)
	p.start(m.program)
	return p
}

// volume is the directory that a sidecar finds its identity in, /DIRECTORY in
// its bootstrap config.
func (m *mesh) volume(b injector.Bootstrap) string {
	m.t.Helper()
	directory, err := os.MkdirTemp("", "sidecar")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			m.t.Error(err)
		}
	})
	if err := os.Chmod(directory, 0o755); err != nil {
		m.t.Fatal(err)
	}
	config, err := json.Marshal(b)
	if err != nil {
		m.t.Fatal(err)
	}
	account := strings.TrimPrefix(b.SDS.Certificate, "service-cert:")
	p := &proxy{t: m.t, directory: directory}
	p.mount("bootstrap.json", bytes.ReplaceAll(config, []byte("/DIRECTORY"), []byte(directory)))
	p.mount("token", []byte("s3cret of "+account+"\n"))
	p.mount("ca.crt", m.manager.Bundle().PEM())
	return directory
}

func (p *proxy) mount(name string, content []byte) {
	p.t.Helper()
	file := filepath.Join(p.directory, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// start starts a sidecar as its container does.
func (p *proxy) start(program string) {
	p.t.Helper()
	p.startCommand(p.command(program))
}

// startCommand starts a command as the sidecar's user, in its pod.
func (p *proxy) startCommand(command *exec.Cmd) {
	p.t.Helper()
	p.process = command
	p.process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: sidecarUID, Gid: sidecarUID}, Setpgid: true}
	p.process.Stdout, p.process.Stderr = p, p
	if err := p.n.Do(p.process.Start); err != nil {
		p.t.Fatal(err)
	}
	go func() { p.ended <- p.process.Wait() }()
	p.t.Cleanup(func() {
		syscall.Kill(-p.process.Process.Pid, syscall.SIGKILL) // the shell and what it runs, if they have not ended
		<-p.ended
		if p.t.Failed() {
			p.t.Log(p.logged())
		}
	})
}

func (m *mesh) intercept(n *netns.Namespace, outbound interception.Outbound) {
	m.t.Helper()
	err := n.Do(func() error {
		_, err := nft.Apply(interception.Config{
			UID: sidecarUID,
			Inbound: interception.Inbound{
				Port:         15003,
				ExcludePorts: []uint16{15003, 15010, 15901, 15902, 15903, 15904, sdsPort},
			},
			Outbound: outbound,
		})
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// reference starts the reference sidecar as bookstore/bookstore-v2 in the other
// pod, and returns another of that identity without listeners, to call from.
func (m *mesh) reference() *sidecar.Sidecar {
	m.t.Helper()
	p := m.run(m.otherPod, "bookstore/bookstore-v2", reference(m.t), nothing)
	p.waitReady(otherAddress)

	b := bootstrap(m.t, p.directory, "bookstore/bookstore-v2")
	b.Inbound, b.Outbound, b.Admin, b.Readiness, b.Metrics = injector.Listener{}, injector.Listener{}, injector.Listener{}, injector.Listener{}, injector.Listener{}
	s, err := sidecar.New(sidecar.Options{
		Bootstrap: b,
		Dial:      func(_ context.Context, address string) (net.Conn, error) { return dial(m.otherPod, address) },
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	m.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			m.t.Error(err)
		}
	})
	waiting, end := context.WithTimeout(m.t.Context(), timeLimit)
	defer end()
	if _, err := s.Wait(waiting, sidecar.State.Ready); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// client is an HTTP client in the namespace, with a connection for each request.
func client(n *netns.Namespace) *http.Client {
	return &http.Client{
		Timeout:       timeLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(_ context.Context, _, address string) (net.Conn, error) { return dial(n, address) },
		},
	}
}
