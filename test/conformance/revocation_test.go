package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/testkit"
)

func endsConnectionsWithTheRootOfTheirPeer(t *testing.T, program string) {
	m := newMesh(t, program)
	first, next := testkit.CA(t), testkit.CA(t)
	m.trust("first", first)
	p := m.start(nil)
	m.reference()
	p.waitReady(pipyAddress)
	accept(t, m.otherPod, "[::]:9000", echo)
	accept(t, m.otherPod, "[::]:9002", func(conn net.Conn) { _, _ = io.ReadAll(conn) }) // silent
	accept(t, m.pipyPod, "[::]:9000", echo)

	out, err := dial(m.pipyPod, "10.0.0.2:9000")
	if err != nil {
		t.Fatal(err)
	}
	silent, err := dial(m.pipyPod, "10.0.0.2:9002")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := dial(m.otherPod, "10.0.0.1:9000")
	if err != nil {
		t.Fatal(err)
	}
	// A client that would go on.
	in := tls.Client(raw, &tls.Config{ServerName: "bookbuyer.bookbuyer.cluster.local", RootCAs: m.manager.Bundle().Pool(), Certificates: []tls.Certificate{certificate(t, first, "cluster.local")}})
	speak(t, out, "", "\x00\x01before\n")
	speak(t, in, "", "\x00\x01before\n")
	if _, err := io.WriteString(silent, "\x00\x01before\n"); err != nil {
		t.Fatal(err)
	}

	m.trust("first", first, next)
	testkit.Eventually(t, "a second root", func() bool { return len(p.report().Roots) == 2 })
	m.trust("next", next, first)
	for _, account := range []string{"bookbuyer", "bookstore-v2"} {
		namespace := map[string]string{"bookbuyer": "bookbuyer", "bookstore-v2": "bookstore"}[account]
		testkit.Eventually(t, "a leaf of the second root", func() bool {
			c, ok := m.manager.GetCertificate(identityOf(t, namespace, account))
			return ok && c.Leaf().CheckSignatureFrom(next.Root()) == nil
		})
	}
	speak(t, out, "", "\x00\x01between\n")
	speak(t, in, "", "\x00\x01between\n")

	m.trust("next", next)
	testkit.Eventually(t, "the second root alone", func() bool { return len(p.report().Roots) == 1 })
	for name, conn := range map[string]net.Conn{"out": out, "out, where the peer is silent": silent, "in": in} {
		if err := conn.SetReadDeadline(time.Now().Add(timeLimit)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("%s: it is open: %v", name, err)
		}
	}
	talk(t, m.pipyPod, "10.0.0.2:9000", "", "\x00\x01after\n")
}

// brief certifies for no longer than a moment.
type brief struct{ issuer.Issuer }

const moment = 3 * time.Second

func (b brief) Issue(ctx context.Context, r *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	return b.Issuer.Issue(ctx, r, min(ttl, moment))
}

func keepsConnectionsOfARootThatIsReplaced(t *testing.T, program string) {
	m := newMesh(t, program)
	first, next := brief{testkit.CA(t)}, testkit.CA(t)
	m.trust("first", first)
	p := m.start(nil)
	m.reference()
	p.waitReady(pipyAddress)
	accept(t, m.otherPod, "[::]:9000", echo)
	conn, err := dial(m.pipyPod, "10.0.0.2:9000")
	if err != nil {
		t.Fatal(err)
	}
	speak(t, conn, "", "\x00\x01before\n")
	m.trust("next", next, first)
	testkit.Eventually(t, "a second root", func() bool { return len(p.report().Roots) == 2 })
	for _, id := range []identity.Identity{identityOf(t, "bookbuyer", "bookbuyer"), identityOf(t, "bookstore", "bookstore-v2")} {
		testkit.Eventually(t, "a leaf of the second root", func() bool {
			c, ok := m.manager.GetCertificate(id)
			return ok && c.Leaf().CheckSignatureFrom(next.Root()) == nil
		})
	}
	time.Sleep(moment + time.Second)
	m.trust("next", next)
	testkit.Eventually(t, "the second root alone", func() bool { return len(p.report().Roots) == 1 })
	speak(t, conn, "", "\x00\x01after\n")
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
