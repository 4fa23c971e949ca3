//go:build hostile

package controlplane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
)

// The SDS server that is attacked runs in a process of its own, which is this
// test again, so that its memory is its own.
const sdsServerVariable = "OSM_HOSTILE_SDS_SERVER"

const sdsServerName = "osm-controller.osm-system.cluster.local"

// namedPods attests any client that names account and pod: what is attacked
// here is what comes before and after the attestation.
type namedPods struct{}

func (namedPods) Attest(_ context.Context, token string) (sds.Proxy, error) {
	account, pod, ok := strings.Cut(token, "/")
	id, err := identity.New("cluster.local", "shop", account)
	if !ok || err != nil {
		return sds.Proxy{}, &sds.Refusal{Reason: sds.ReasonMalformedToken, Message: "not a token"}
	}
	return sds.Proxy{Identity: id, Namespace: "shop", PodName: pod, PodUID: types.UID(pod)}, nil
}

func (namedPods) Current(context.Context, sds.Proxy) error { return nil }

// noPods has no pod at any address.
type noPods struct{}

func (noPods) At(netip.Addr) []identity.Identity   { return nil }
func (noPods) Watch(netip.Addr, chan<- struct{})   {}
func (noPods) Unwatch(netip.Addr, chan<- struct{}) {}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSDSServer is the server's process. It says its address and roots, and then
// does what each line of its input says.
func TestSDSServer(t *testing.T) {
	if os.Getenv(sdsServerVariable) == "" {
		t.Skip("this is run by the tests that attack it")
	}
	signing, trusted := testkit.CA(t), testkit.CA(t)
	manager := issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)})
	setTrust := func() {
		trusted = testkit.CA(t)
		issuertest.Trust(t, manager, "active", signing, trusted)
	}
	setTrust()
	self := must[identity.Identity](t)(identity.New("cluster.local", "osm-system", "osm-controller"))
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	var lines counter
	server := must[*sds.Server](t)(sds.New(sds.Options{
		Listener: listener, Source: manager, Attestor: namedPods{}, Destinations: noPods{},
		GetCertificate: issuertest.Serving(manager, self), Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	}))
	for _, run := range []func(context.Context) error{manager.Run, server.Run} {
		go func() { check(t, run(t.Context())) }()
	}
	out := os.Stderr
	fmt.Fprintf(out, "%s\n%s\x00", listener.Addr(), manager.Bundle().PEM())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "memory":
			fmt.Fprintf(out, "%d\n", memory())
		case "trust":
			setTrust()
			fmt.Fprintln(out, manager.Bundle().Digest())
		case "lines":
			fmt.Fprintln(out, lines.Load())
		}
	}
}

// memory is what the process holds after collections: stacks shrink by half at
// each. What was allocated since the last, while a flood goes on, is not held.
func memory() uint64 {
	for range 3 {
		runtime.GC()
	}
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(held)
	return held[0].Value.Uint64() + held[1].Value.Uint64()
}

// sdsServer is the process as its attackers see it.
type sdsServer struct {
	t        *testing.T
	address  string
	roots    trustbundle.TrustBundle
	attacker string // the address that attacks come from
	in       io.WriteCloser
	out      *bufio.Reader
}

func startSDSServer(t *testing.T) *sdsServer {
	t.Helper()
	self := must[string](t)(os.Executable())
	process := exec.Command(self, "-test.run=^TestSDSServer$", "-test.timeout=15m")
	process.Env = append(os.Environ(), sdsServerVariable+"=yes", "GOGC=100")
	s := &sdsServer{t: t}
	s.in = must[io.WriteCloser](t)(process.StdinPipe())
	out := must[io.ReadCloser](t)(process.StderrPipe())
	check(t, process.Start())
	s.out = bufio.NewReader(out)
	t.Cleanup(func() {
		check(t, errors.Join(s.in.Close(), process.Process.Kill()))
		_ = process.Wait() // it was killed
	})
	s.address = s.line()
	pem := must[string](t)(s.out.ReadString(0))
	s.roots = must[trustbundle.TrustBundle](t)(trustbundle.Parse([]byte(strings.TrimSuffix(pem, "\x00"))))
	return s
}

func (s *sdsServer) line() string {
	s.t.Helper()
	return strings.TrimSpace(must[string](s.t)(s.out.ReadString('\n')))
}

func (s *sdsServer) tell(command string) string {
	s.t.Helper()
	_, err := fmt.Fprintln(s.in, command)
	check(s.t, err)
	return s.line()
}

func (s *sdsServer) number(command string) int64 {
	s.t.Helper()
	return must[int64](s.t)(strconv.ParseInt(s.tell(command), 10, 64))
}

// settled is its memory once that no longer falls: what connections held that
// were closed is given back after a while, which is longer on a busy machine. In
// the midst of a flood, a collection keeps what is allocated meanwhile: the least
// of many is what is held.
func (s *sdsServer) settled() int64 {
	s.t.Helper()
	const falls = 64 << 10
	least := s.number("memory")
	for same, samples := 0, 0; same < 16 && samples < 150; samples++ {
		<-time.After(100 * time.Millisecond)
		now := s.number("memory")
		if same++; now < least-falls {
			same = 0
		}
		least = min(least, now)
	}
	return least
}
