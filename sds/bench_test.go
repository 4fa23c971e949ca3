package sds_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
)

// The clients of a benchmark run in a process of their own, which is this test
// again, so that what is measured is the server's.
const (
	benchAddress = "OSM_SDS_BENCH_ADDRESS"
	benchStreams = "OSM_SDS_BENCH_STREAMS"
)

func TestMain(m *testing.M) {
	address := os.Getenv(benchAddress)
	if address == "" {
		os.Exit(m.Run())
	}
	if err := benchClients(address, os.Getenv(benchStreams)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// benchClients opens that many connections with a stream each, says so, and
// acknowledges what is pushed until its input ends.
func benchClients(address, streams string) error {
	n, err := strconv.Atoi(streams)
	if err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	roots, err := in.ReadString(0)
	if err != nil {
		return err
	}
	bundle, err := trustbundle.Parse([]byte(strings.TrimSuffix(roots, "\x00")))
	if err != nil {
		return err
	}
	config := &tls.Config{RootCAs: bundle.Pool(), ServerName: serverName}
	var opening errgroup.Group
	opening.SetLimit(64)
	for i := range n {
		opening.Go(func() error { return benchClient(address, config, i) })
	}
	if err := opening.Wait(); err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, in)
	return err
}

func benchClient(address string, config *tls.Config, i int) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithReadBufferSize(2<<10), grpc.WithWriteBufferSize(2<<10))
	if err != nil {
		return err
	}
	token := fmt.Sprintf("account-%d/pod-%d", i/10, i)
	stream, err := secretv3.NewSecretDiscoveryServiceClient(conn).StreamSecrets(presenting(context.Background(), token))
	if err != nil {
		return err
	}
	if err := stream.Send(names("default", "ROOTCA")); err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := stream.Send(accepting(first, "default", "ROOTCA")); err != nil {
		return err
	}
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				return // the benchmark is over
			}
			if stream.Send(accepting(r, "default", "ROOTCA")) != nil {
				return
			}
		}
	}()
	return nil
}

// believing attests any caller that names a service account and a pod.
type believing struct{}

func (believing) Attest(_ context.Context, token string) (sds.Proxy, error) {
	account, uid, _ := strings.Cut(token, "/")
	id, err := identity.New("cluster.local", "bench", account)
	return sds.Proxy{Identity: id, PodUID: types.UID(uid)}, err
}

func (believing) Current(context.Context, sds.Proxy) error { return nil }

// newBenchMesh serves that many streams, each on a connection of its own, ten
// to a service account.
func newBenchMesh(b *testing.B, streams int) *mesh {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	m := &mesh{t: b, listener: listener, limits: sds.Limits{AddressConnections: streams, AddressStrangers: streams, AddressBurst: streams}}
	m.start(believing{}, issuer.Options{})
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	clients := exec.Command(self)
	clients.Env = append(os.Environ(), benchAddress+"="+listener.Addr().String(), benchStreams+"="+strconv.Itoa(streams))
	clients.Stderr = os.Stderr
	stdin, err := clients.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := clients.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		b.Fatal(err)
	}
	end, server := sync.OnceValue(func() error { return errors.Join(stdin.Close(), clients.Wait()) }), m.stop
	m.stop = func() error { return errors.Join(end(), server()) }
	b.Cleanup(func() {
		if err := m.stop(); err != nil {
			b.Error(err)
		}
	})
	if _, err := stdin.Write(append(m.manager.Bundle().PEM(), 0)); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "open\n" {
		b.Fatalf("the clients said %q, %v", line, err)
	}
	return m
}

// memory is what the process holds after a collection.
func memory() uint64 {
	for range 3 { // stacks shrink by half at each
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}

// BenchmarkStreamMemory reports what a live stream takes on the server, with
// its TLS connection and its share of a certificate.
func BenchmarkStreamMemory(b *testing.B) {
	const streams = 2000
	before := memory()
	m := newBenchMesh(b, streams)
	testkit.Eventually(b, "all streams are acknowledged", func() bool { return m.manager.Pending() == 0 })
	for b.Loop() {
		b.ReportMetric(float64(memory()-before)/streams, "B/stream")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNewBundle reports how long a new bundle takes to be acknowledged by
// all streams, and how long they took to open and get their certificates, with
// the clients on the same cores.
func BenchmarkNewBundle(b *testing.B) {
	for _, streams := range []int{1000, 10000} {
		b.Run(strconv.Itoa(streams), func(b *testing.B) {
			began := time.Now()
			m := newBenchMesh(b, streams)
			opened := time.Since(began)
			for b.Loop() {
				m.newTrust()
				testkit.Eventually(b, "all streams are acknowledged", func() bool { return m.manager.Pending() == 0 })
			}
			b.ReportMetric(opened.Seconds(), "s-to-open")
		})
	}
}

// BenchmarkAttest is what a proxy's token costs when keys and pod are known.
func BenchmarkAttest(b *testing.B) {
	c := newCluster(b)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	a, token := c.attestor(), c.token(p)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Attest(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
