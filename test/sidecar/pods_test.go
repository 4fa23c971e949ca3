package sidecar_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/sidecar"
)

const (
	buyerID    = "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"
	peerHeader = "X-Forwarded-Client-Cert"
	forged     = "URI=spiffe://cluster.local/ns/admin/sa/admin"
)

// pods are a buyer and a store whose connections the kernel leads to their
// sidecars, over loopback.
type pods struct {
	*control
	buyer, store *sidecar.Sidecar
}

// newPods has the store's application at the address.
func newPods(t *testing.T, application string, change ...func(buyer, store *sidecar.Options)) *pods {
	t.Helper()
	c := newControl(t)
	c.tcp = true
	asked := netip.MustParseAddrPort(application)
	buyer := c.options("buyer", "bookbuyer", "bookbuyer")
	intercept(&buyer, asked)
	buyer.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		if address == application {
			address = "store:15003"
		}
		return c.dial(ctx, address)
	}
	store := c.options("store", "bookstore", "bookstore-v2")
	intercept(&store, asked)
	for _, change := range change {
		change(&buyer, &store)
	}
	p := &pods{control: c, buyer: c.run(buyer), store: c.run(store)}
	c.wait(p.buyer, sidecar.State.Ready)
	c.wait(p.store, sidecar.State.Ready)
	return p
}

// intercept has the sidecar take its connections for intercepted ones, on their
// way to an address of loopback, where these pods are.
func intercept(o *sidecar.Options, asked netip.AddrPort) {
	o.Bootstrap.Interception = injector.NFTables
	o.OriginalDestination = func(net.Conn) (netip.AddrPort, bool) { return asked, true }
	o.OwnAddress = func(_ net.Conn, address netip.Addr) bool { return address.IsLoopback() }
}

// call is a connection that the buyer's application makes to the store's.
func (p *pods) call() *net.TCPConn {
	p.t.Helper()
	conn, err := p.dial(p.t.Context(), "buyer:15001")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() }) // mostly closed before
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		p.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// client is an HTTP client of the buyer's application.
func (p *pods) client(protocols http.Protocols) *http.Client {
	transport := &http.Transport{
		Protocols:          &protocols,
		DisableCompression: true,
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return p.call(), nil },
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func http1() (p http.Protocols) { p.SetHTTP1(true); return p }
func http2() (p http.Protocols) { p.SetUnencryptedHTTP2(true); return p }

// serveHTTP is an application that speaks HTTP/1 and HTTP/2.
func serveHTTP(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	protocols := http1()
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String()
}

// serveTCP is an application that has the talk with each of its clients.
func serveTCP(t *testing.T, address string, talk func(*net.TCPConn) error) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close() // what was said counts
				if err := talk(conn.(*net.TCPConn)); err != nil {
					t.Errorf("the application: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close() // no connection waits in it
		open.Wait()
	})
	return l.Addr().String()
}

// say sends the text and the end, and returns all that is answered.
func say(t *testing.T, conn *net.TCPConn, text string) string {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
