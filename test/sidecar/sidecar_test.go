package sidecar_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

func TestASidecarGetsItsCertificateAndEveryLaterOne(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		c := newControl(t)
		o := c.options("pod", "bookstore", "bookstore-v2")
		o.Incremental = incremental
		s := c.run(o)
		first := c.wait(s, sidecar.State.Ready)
		if got := first.Leaf().Subject.CommonName; got != "bookstore-v2.bookstore.cluster.local" {
			t.Errorf("a certificate of %s", got)
		}
		if !first.Bundle().Equal(c.manager.Bundle()) {
			t.Error("another bundle than the control plane's")
		}
		rotated, err := c.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
		if err != nil {
			t.Fatal(err)
		}
		c.wait(s, func(s sidecar.State) bool { return s.Leaf().Equal(rotated.Leaf()) && s.Version() != first.Version() })
	}
}

func TestFetchIsRefusedAnothersSecret(t *testing.T) {
	c := newControl(t)
	o := c.options("pod", "bookbuyer", "bookbuyer")
	c.wait(c.run(c.options("other", "bookbuyer", "bookbuyer")), sidecar.State.Ready)
	if err := sidecar.Fetch(t.Context(), o, "service-cert:bookbuyer/bookbuyer"); err != nil {
		t.Error(err)
	}
	if err := sidecar.Fetch(t.Context(), o, "service-cert:bookstore/bookstore-v2"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v, want PermissionDenied", err)
	}
}

func TestMutualTLSChecksBothIdentities(t *testing.T) {
	c := newControl(t)
	buyer := c.run(c.options("buyer", "bookbuyer", "bookbuyer"))
	store := c.run(c.options("store", "bookstore", "bookstore-v2"))
	c.wait(buyer, sidecar.State.Ready)
	c.wait(store, sidecar.State.Ready)
	towards := func(account string) *tls.Config {
		config, err := buyer.ClientTLS(identityOf(t, "bookstore", account))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	only := func(want string) func(spiffeid.ID) error {
		return func(id spiffeid.ID) error {
			if id.String() != want {
				return errors.New("another client")
			}
			return nil
		}
	}
	strangers := newControl(t)
	stranger := strangers.run(strangers.options("stranger", "bookbuyer", "bookbuyer"))
	strangers.wait(stranger, sidecar.State.Ready)
	strange, err := stranger.ClientTLS(identityOf(t, "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	strange.RootCAs = c.manager.Bundle().Pool()
	anonymous := towards("bookstore-v2")
	anonymous.GetClientCertificate = nil

	cases := []struct {
		name   string
		client *tls.Config
		server *tls.Config
		ok     bool
	}{
		{"the peers meant", towards("bookstore-v2"), store.ServerTLS(only("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer")), true},
		{"any peer of the trust domain", towards("bookstore-v2"), store.ServerTLS(nil), true},
		{"another server than meant", towards("bookstore-v1"), store.ServerTLS(nil), false},
		{"a client that is not let in", towards("bookstore-v2"), store.ServerTLS(only("spiffe://cluster.local/ns/x/sa/y")), false},
		{"a client without a certificate", anonymous, store.ServerTLS(nil), false},
		{"a client of another mesh by the same name", strange, store.ServerTLS(nil), false},
		{"a server of another mesh by the same name", towards("bookstore-v2"), stranger.ServerTLS(nil), false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			clientErr, serverErr := handshake(t, tc.client, tc.server)
			if ok := clientErr == nil && serverErr == nil; ok != tc.ok {
				t.Fatalf("client: %v, server: %v", clientErr, serverErr)
			}
		})
	}
	t.Run("no session is resumed", func(t *testing.T) {
		client := towards("bookstore-v2")
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		verify, resumed := client.VerifyConnection, false
		client.VerifyConnection = func(s tls.ConnectionState) error {
			resumed = resumed || s.DidResume
			return verify(s)
		}
		for range 2 {
			if clientErr, serverErr := handshake(t, client, store.ServerTLS(nil)); clientErr != nil || serverErr != nil {
				t.Fatalf("client: %v, server: %v", clientErr, serverErr)
			}
		}
		if resumed {
			t.Fatal("resumed")
		}
	})
}

// application records the requests that reach it.
func application(t *testing.T) (address string, requests chan *http.Request) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = make(chan *http.Request, 10)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		if _, err := io.WriteString(w, "books"); err != nil {
			t.Error(err)
		}
	})}
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String(), requests
}

// via is an application's HTTP client whose proxy is its pod's sidecar.
func (c *control) via(host string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dial(ctx, host+":15001")
		},
	}}
}

func get(t *testing.T, client *http.Client, url string, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestARequestGoesFromApplicationToApplicationByMutualTLS(t *testing.T) {
	c := newControl(t)
	address, requests := application(t)
	buyer := c.run(c.options("buyer", "bookbuyer", "bookbuyer"))
	store := c.run(c.options("bookstore", "bookstore", "bookstore-v2"))
	c.wait(buyer, sidecar.State.Ready)
	c.wait(store, sidecar.State.Ready)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	const peer = "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"
	header := http.Header{}
	header.Set(sidecar.PeerHeader, peer)
	header.Set("X-Forwarded-Client-Cert", "URI=spiffe://cluster.local/ns/admin/sa/admin")
	code, body := get(t, c.via("buyer"), "http://bookstore:"+port+"/books", header)
	if code != http.StatusOK || body != "books" {
		t.Fatalf("%d %s", code, body)
	}
	r := <-requests
	if got := r.Header["X-Forwarded-Client-Cert"]; len(got) != 1 || got[0] != "URI=spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer" {
		t.Errorf("the application is told that %q calls", got)
	}
	if r.Host != "bookstore:"+port || r.URL.Path != "/books" || r.Header.Get(sidecar.PeerHeader) != "" {
		t.Errorf("the application is asked for %s%s with %v", r.Host, r.URL, r.Header)
	}

	cases := []struct {
		name, url, peer string
		code            int
	}{
		{"no peer named", "http://bookstore:" + port, "", http.StatusBadRequest},
		{"a peer that is no service account", "http://bookstore:" + port, "spiffe://cluster.local/bookstore", http.StatusBadRequest},
		{"another peer than is there", "http://bookstore:" + port, "spiffe://cluster.local/ns/bookstore/sa/bookstore-v1", http.StatusBadGateway},
		{"no one there", "http://nowhere:" + port, peer, http.StatusBadGateway},
		{"the peer's admin port", "http://bookstore:15000/certs", peer, http.StatusForbidden},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			header := http.Header{}
			header.Set(sidecar.PeerHeader, tc.peer)
			if code, body := get(t, c.via("buyer"), tc.url, header); code != tc.code {
				t.Fatalf("%d %s, want %d", code, body, tc.code)
			}
		})
	}
}

func TestReadyAndCertsTellWithoutKeys(t *testing.T) {
	c := newControl(t)
	o := c.options("pod", "bookstore", "bookstore-v2")
	mounted := c.ca
	c.mount([]byte("not PEM"))
	s := c.run(o)
	client := func(port string) *http.Client {
		return &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dialSoon(ctx, "pod:"+port) },
		}}
	}
	if code, _ := get(t, client("15902"), "http://pod/ready", nil); code != http.StatusServiceUnavailable {
		t.Fatalf("ready without a certificate: %d", code)
	}
	c.mount(mounted)
	state := c.wait(s, sidecar.State.Ready)
	if code, body := get(t, client("15902"), "http://pod/ready", nil); code != http.StatusOK {
		t.Fatalf("not ready: %s", body)
	}
	_, body := get(t, client("15000"), "http://pod/certs", nil)
	var report struct {
		ID, Serial string
		NotAfter   time.Time
		Roots      []string
		Updates    int
	}
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatal(err)
	}
	if report.ID != o.Bootstrap.Identity || report.Serial != state.Leaf().SerialNumber.Text(16) ||
		!report.NotAfter.Equal(state.Leaf().NotAfter) || len(report.Roots) != 1 || report.Updates != 1 {
		t.Errorf("%s", body)
	}
	if strings.Contains(body, "KEY") {
		t.Errorf("/certs tells a key: %s", body)
	}
}

// dialSoon waits for a listener that is about to be opened.
func (c *control) dialSoon(ctx context.Context, address string) (net.Conn, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := c.dial(ctx, address)
		if !errors.Is(err, errRefused) {
			return conn, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestASidecarTrustsOnlyItsControlPlane(t *testing.T) {
	cases := []struct {
		name   string
		change func(t *testing.T, c *control, o *sidecar.Options)
	}{
		{"another root", func(t *testing.T, c *control, _ *sidecar.Options) {
			c.mount(trustbundle.New(testkit.CA(t).Root()).PEM())
		}},
		{"no root", func(_ *testing.T, c *control, _ *sidecar.Options) { c.mount(nil) }},
		{"another name", func(_ *testing.T, _ *control, o *sidecar.Options) {
			o.Bootstrap.SDS.ServerName = "osm-injector.osm-system.cluster.local"
		}},
		{"another identity of that name", func(_ *testing.T, _ *control, o *sidecar.Options) {
			o.Bootstrap.SDS.ServerIdentity = "spiffe://cluster.local/ns/osm-system/sa/osm-injector"
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t)
				o := c.options("pod", "bookstore", "bookstore-v2")
				tc.change(t, c, &o)
				s := c.run(o)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if _, err := s.Wait(ctx, sidecar.State.Ready); err == nil {
					t.Fatal("got secrets")
				}
			})
		})
	}
}

// TestASidecarOutlivesItsControlPlane goes through an hour without the server,
// a token that was renewed meanwhile, and a root of which the mounted bundle
// knows nothing, because it was pushed.
func TestASidecarOutlivesItsControlPlane(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := newControl(t)
			o := c.options("pod", "bookstore", "bookstore-v2")
			o.Incremental = incremental
			s := c.run(o)
			c.wait(s, sidecar.State.Ready)

			next := testkit.CA(t)
			c.trust("next", next, c.first)
			moved := c.wait(s, func(s sidecar.State) bool {
				return s.Leaf().CheckSignatureFrom(next.Root()) == nil && len(s.Bundle().Roots()) == 2
			})
			c.stop()
			c.renewToken("bookstore/bookstore-v2")
			time.Sleep(time.Hour)
			if state := s.State(); !state.Ready() || !state.Leaf().Equal(moved.Leaf()) {
				t.Fatal("lost its certificate")
			}
			c.serve()
			time.Sleep(time.Minute)
			if state := s.State(); state.Version() != moved.Version() {
				t.Fatal("was sent again what it had")
			}
			rotated, err := c.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
			if err != nil {
				t.Fatal(err)
			}
			c.wait(s, func(s sidecar.State) bool { return s.Leaf().Equal(rotated.Leaf()) })
			if _, err := rotated.Leaf().Verify(x509.VerifyOptions{Roots: s.State().Bundle().Pool()}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
