package sds_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/sds/destination"
	"github.com/osm-edge/osm/test/testkit"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func newLimitedMesh(t *testing.T, limits sds.Limits) (*mesh, *lines) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	m := &mesh{t: t, cluster: newCluster(t), listener: listener, limits: limits, log: log, destinations: destination.NewIndex("cluster.local")}
	m.dial = func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}
	m.start(m.cluster.attestor(), issuer.Options{})
	return m, log
}

func (m *mesh) podToken(name string) string {
	return m.cluster.token(m.cluster.run(pod("bookstore", name, "bookstore-v2", func(p *corev1.Pod) { p.UID += "-of-its-own" })))
}

func TestAPodsNewestConnectionsDisplaceItsOldest(t *testing.T) {
	m, _ := newLimitedMesh(t, sds.Limits{PodConnections: 2})
	ctx, other := presenting(t.Context(), m.podToken("a")), presenting(t.Context(), m.podToken("b"))
	neighbour := ask(t, other, m.client(), names(ownCert))
	receive(t, neighbour)
	first := ask(t, ctx, m.client(), names(ownCert))
	receive(t, first)
	for range 4 {
		receive(t, ask(t, ctx, m.client(), names(ownCert)))
	}
	if _, err := first.Recv(); err == nil {
		t.Error("the first stream goes on")
	}
	testkit.Eventually(t, "three streams are open", func() bool { return len(m.server.Streams()) == 3 })
	m.newTrust()
	if err := neighbour.Send(names(ownCert, ownRoots)); err != nil {
		t.Fatal(err)
	}
	receive(t, neighbour)
}

func TestTheAddressesOfAPodAreCountedOnAllOfItsStreams(t *testing.T) {
	m, _ := newLimitedMesh(t, sds.Limits{PodAddresses: 10})
	ctx := presenting(t.Context(), m.podToken("a"))
	asking := func(from, to int) []string {
		asked := []string{ownCert}
		for i := from; i < to; i++ {
			asked = append(asked, fmt.Sprintf("peers:10.0.0.%d", i))
		}
		return asked
	}
	client := m.client()
	stream := ask(t, ctx, client, names(asking(0, 6)...))
	response := receive(t, stream)
	if _, err := ask(t, ctx, client, names(asking(0, 6)...)).Recv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("12 addresses on one connection: %v", err)
	}
	// Those that are given up, and those of a stream that has ended, do not count.
	send(t, stream, accepting(response, asking(6, 12)...))
	receive(t, stream)
	receive(t, ask(t, ctx, client, names(asking(0, 4)...)))
	receive(t, ask(t, ctx, m.client(), names(asking(0, 10)...)))
	for err := error(nil); err == nil; _, err = stream.Recv() { // until the connection before ends
	}
}

func TestConnectionsAreCountedBeforeTLS(t *testing.T) {
	m, log := newLimitedMesh(t, sds.Limits{AddressStrangers: 3, AddressBurst: 100})
	address := m.listener.Addr().String()
	for range 200 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // most of them are closed already
	}
	testkit.Eventually(t, "they are refused", func() bool { return m.count("osm_sds_refusals_total") >= 190 })
	if n := strings.Count(log.String(), "\n"); n > 40 {
		t.Errorf("%d lines are logged", n)
	}
	testkit.Eventually(t, "it is logged how many were left out", func() bool { return strings.Contains(log.String(), "left_out") })
}

func TestNoMoreConnectionsAreServedThanTheReplicaIsMadeFor(t *testing.T) {
	for what, limits := range map[string]sds.Limits{"in all": {Connections: 2}, "of an address": {AddressConnections: 2}} {
		m, _ := newLimitedMesh(t, limits)
		for i := range 2 {
			receive(t, ask(t, presenting(t.Context(), m.podToken(fmt.Sprint(i))), m.client(), names(ownCert)))
		}
		stream, err := m.client().StreamSecrets(presenting(t.Context(), m.podToken("another")))
		if err == nil {
			send(t, stream, names(ownCert))
			_, err = stream.Recv()
		}
		if err == nil {
			t.Errorf("%s, a third is served", what)
		}
		if n := len(m.server.Streams()); n != 2 {
			t.Errorf("%s, %d are open", what, n)
		}
	}
}
