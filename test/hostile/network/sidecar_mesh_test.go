//go:build hostile

package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/interception/nft"
	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/netns"
)

const (
	storeAddress    = "10.0.0.1"
	attackerAddress = "10.0.0.2"
	sdsAddress      = attackerAddress + ":15128"
	declaredPort    = 8081
	forged          = "spiffe://cluster.local/ns/admin/sa/admin"
	attackerID      = "spiffe://cluster.local/ns/bookthief/sa/bookthief"
	// stepTimeout bounds what takes a moment: connections, pushes, processes.
	stepTimeout = 20 * time.Second
)

// sidecarOf starts a sidecar as user 1500 in a pod.
type sidecarOf func(t *testing.T, directory string) *exec.Cmd

// sidecars are the reference sidecar, and Pipy where there is one.
func sidecars() map[string]sidecarOf {
	all := map[string]sidecarOf{"reference": reference}
	if program, err := exec.LookPath("pipy"); err == nil {
		all["Pipy"] = func(t *testing.T, directory string) *exec.Cmd {
			for name, content := range pipy.Scripts() {
				write(t, filepath.Join(directory, name), []byte(content))
			}
			return exec.Command(program, "--log-level=info", filepath.Join(directory, "main.js"), "--", filepath.Join(directory, "bootstrap.json"))
		}
	}
	return all
}

func reference(t *testing.T, directory string) *exec.Cmd {
	t.Helper()
	program := filepath.Join(directory, "sidecar")
	build := exec.Command("go", "build", "-o", program, "github.com/osm-edge/osm/test/sidecar/cmd/sidecar")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the reference sidecar: %v\n%s", err, output)
	}
	return exec.Command(program, filepath.Join(directory, "bootstrap.json"))
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// store is a pod of the mesh with a sidecar, and attacker a member of the mesh.
type store struct {
	t             *testing.T
	pod, attacker *netns.Namespace
	ca            *tresor.CA
	member        tls.Certificate
	process       *exec.Cmd
	log           safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func newStore(t *testing.T, start sidecarOf) *store {
	t.Helper()
	s := &store{t: t, pod: netns.New(t), attacker: netns.New(t)}
	netns.Connect(t,
		netns.End{Namespace: s.pod, Name: "eth0", Addresses: prefixes(storeAddress+"/24", "fd00::1/64")},
		netns.End{Namespace: s.attacker, Name: "eth0", Addresses: prefixes(attackerAddress+"/24", "fd00::2/64")})
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	if s.ca, err = tresor.New(root, key); err != nil {
		t.Fatal(err)
	}
	s.member = s.certificate("bookthief")
	s.serveSDS()
	must(t, s.pod.Do(func() error {
		_, err := nft.Apply(interception.Config{
			UID:      1500,
			Inbound:  interception.Inbound{Port: 15003, ExcludePorts: []uint16{15003, 15010, 15901, 15902, 15903, 15904}},
			Outbound: interception.Outbound{Port: 15001},
		})
		return err
	}))
	s.run(start)
	return s
}

func prefixes(texts ...string) (prefixes []netip.Prefix) {
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func identityOf(t *testing.T, name string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", name, name)
	must(t, err)
	return id
}

// certificate is one of the mesh's, as any pod has.
func (s *store) certificate(name string) tls.Certificate {
	s.t.Helper()
	request, err := issuer.NewServiceRequest(issuer.ECDSAP256, identityOf(s.t, name))
	must(s.t, err)
	chain, err := s.ca.Issue(s.t.Context(), request, time.Hour)
	must(s.t, err)
	issued, err := request.Certificate(chain)
	must(s.t, err)
	pair, err := tls.X509KeyPair(issued.ChainPEM(), issued.KeyPEM())
	must(s.t, err)
	return pair
}

// Attest implements sds.Attestor.
func (s *store) Attest(context.Context, string) (sds.Proxy, error) {
	return sds.Proxy{Identity: identityOf(s.t, "bookstore")}, nil
}

// Current implements sds.Attestor.
func (s *store) Current(context.Context, sds.Proxy) error { return nil }

func (s *store) serveSDS() {
	s.t.Helper()
	manager := issuer.NewManager(issuer.Options{Linger: time.Hour})
	issuertest.Trust(s.t, manager, "root", s.ca)
	server, err := sds.New(sds.Options{
		Listener: s.listen(s.attacker, sdsAddress), Source: manager, Attestor: s,
		GetCertificate: issuertest.Serving(manager, identityOf(s.t, "osm-controller")),
		Logger:         slog.New(slog.DiscardHandler),
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return manager.Run(ctx) })
	group.Go(func() error { return server.Run(ctx) })
	s.t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			s.t.Error(err)
		}
	})
}

// bootstrap is what the injector would write into the pod.
func (s *store) bootstrap(directory string) injector.Bootstrap {
	listen := func(addresses ...string) injector.Listener { return injector.Listener{Listen: addresses} }
	return injector.Bootstrap{
		Mesh: "osm", TrustDomain: "cluster.local", Proxy: "1f0c2d1e-93f6-4f3a-8a53-4a1c38f1c1a0",
		Identity: identityOf(s.t, "bookstore").SPIFFEID().String(), LogLevel: "info",
		Interception: injector.NFTables, HTTPPorts: []uint16{declaredPort},
		SDS: injector.SDS{
			Address: sdsAddress, ServerName: "osm-controller.osm-controller.cluster.local",
			ServerIdentity: identityOf(s.t, "osm-controller").SPIFFEID().String(),
			TokenFile:      directory + "/token", CAFile: directory + "/ca.crt",
			Certificate: "service-cert:bookstore/bookstore", Validation: "root-cert-for-mtls-inbound:bookstore/bookstore",
		},
		Inbound: listen(":15003"), Outbound: listen("127.0.0.1:15001", "[::1]:15001"),
		Admin: listen("127.0.0.1:15000"), Readiness: listen(":15902"), Metrics: listen(":15010"),
		Probes: []injector.Probe{{Port: 15901, Path: "/osm/app/liveness", Kind: injector.HTTPProbe, Target: declaredPort, TargetPath: "/healthz", TimeoutSeconds: 5}},
	}
}

func (s *store) run(start sidecarOf) {
	s.t.Helper()
	directory := s.t.TempDir()
	config, err := json.Marshal(s.bootstrap(directory))
	must(s.t, err)
	write(s.t, directory+"/bootstrap.json", config)
	write(s.t, directory+"/token", []byte("token"))
	write(s.t, directory+"/ca.crt", trustbundle.New(s.ca.Root()).PEM())
	process := start(s.t, directory)
	process.Stdout, process.Stderr = &s.log, &s.log
	must(s.t, s.pod.Do(process.Start))
	s.process = process
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	s.t.Cleanup(func() {
		if err := process.Process.Kill(); err == nil {
			<-ended
		}
		if s.t.Failed() {
			s.t.Log(s.log.b.String())
		}
	})
	s.await("the sidecar is ready", func() bool {
		answer, err := s.plain(storeAddress+":15902", "GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		return err == nil && strings.Contains(answer, " 200 ")
	})
}

func (s *store) await(what string, yes func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(stepTimeout); !yes(); <-tick.C {
		if time.Now().After(end) {
			s.t.Fatalf("%s: not after %s\n%s", what, stepTimeout, s.log.b.String())
		}
	}
}

// listen opens a listener of a pod until the end of the test.
func (s *store) listen(n *netns.Namespace, address string) (l net.Listener) {
	s.t.Helper()
	must(s.t, n.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	}))
	s.t.Cleanup(func() { l.Close() })
	return l
}

func dial(n *netns.Namespace, address string) (conn net.Conn, err error) {
	err = n.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", address, stepTimeout)
		return err
	})
	return conn, err
}

// plain asks in plain text from the attacker's pod.
func (s *store) plain(address, text string) (string, error) {
	conn, err := dial(s.attacker, address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return talk(conn, text, 5*time.Second)
}

// secure connects as a member of the mesh.
func (s *store) secure(address string) (net.Conn, error) {
	raw, err := dial(s.attacker, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		ServerName: "bookstore.bookstore.cluster.local", RootCAs: trustbundle.New(s.ca.Root()).Pool(), Certificates: []tls.Certificate{s.member},
	})
	if err := errors.Join(raw.SetDeadline(time.Now().Add(stepTimeout)), conn.Handshake(), raw.SetDeadline(time.Time{})); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// talk says the text and returns what is heard until the end, or for so long.
func talk(conn net.Conn, text string, wait time.Duration) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	heard, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return string(heard), err
}
