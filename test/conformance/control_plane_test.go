package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"github.com/osm-edge/osm/test/netns"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

// certificate of an identity that the CA signs, for peers that are none.
func certificate(t testing.TB, ca *tresor.CA, trustDomain string) tls.Certificate {
	t.Helper()
	id, err := identity.New(trustDomain, "bookstore", "bookstore-v2")
	if err != nil {
		t.Fatal(err)
	}
	request, err := issuer.NewServiceRequest(issuer.ECDSAP256, id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), request, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := request.Certificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.ChainPEM(), issued.KeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func refusesWhoIsNoPeer(t *testing.T, program string) {
	m := newMesh(t, program)
	ca := testkit.CA(t)
	m.trust("first", ca)
	p := m.start(nil)
	p.waitReady(pipyAddress)
	application(t, p.n, "[::]:8080")
	roots := m.manager.Bundle().Pool()
	cases := []struct {
		name         string
		certificates []tls.Certificate
		ok           bool
	}{
		{"a peer", []tls.Certificate{certificate(t, ca, "cluster.local")}, true},
		{"of another trust domain", []tls.Certificate{certificate(t, ca, "elsewhere.example")}, false},
		{"of another mesh by the same name", []tls.Certificate{certificate(t, testkit.CA(t), "cluster.local")}, false},
		{"without a certificate", nil, false},
	}
	for _, tc := range cases {
		t.Run("in, "+tc.name, func(t *testing.T) {
			raw, err := dial(m.otherPod, "10.0.0.1:8080")
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			conn := tls.Client(raw, &tls.Config{ServerName: "bookbuyer.bookbuyer.cluster.local", RootCAs: roots, GetClientCertificate: present(tc.certificates)})
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if answer := heard(conn); strings.HasPrefix(answer, "HTTP/1.1 200 OK") != tc.ok {
				t.Errorf("%q", answer)
			}
		})
	}
	for i, tc := range cases[:3] {
		t.Run("out, "+tc.name, func(t *testing.T) {
			address := fmt.Sprintf("10.0.0.2:%d", 9100+i)
			l := tls.NewListener(listen(t, m.otherPod, address), &tls.Config{Certificates: tc.certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots})
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err == nil {
					io.WriteString(conn, "220 hello\r\n")
				}
			}()
			if answer := heardAt(t, p.n, address); (answer == "220 hello\r\n") != tc.ok {
				t.Errorf("%q", answer)
			}
		})
	}
	t.Run("out, in plain text", func(t *testing.T) {
		accept(t, m.otherPod, "10.0.0.2:9200", greet)
		if answer := heardAt(t, p.n, "10.0.0.2:9200"); answer != "" {
			t.Errorf("%q", answer)
		}
	})
	denied := 4 // two in and two out
	if isReference(program) {
		denied-- // a server without TLS is no denial to it
	}
	testkit.Eventually(t, "they are counted as denied", func() bool { return p.report().Denied == denied })
}

// heardAt is what a server says, and nothing if the sidecar resets the connection.
func heardAt(t *testing.T, n *netns.Namespace, address string) string {
	t.Helper()
	conn, err := dial(n, address)
	if errors.Is(err, syscall.ECONNRESET) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return heard(conn)
}

// present shows the certificate whatever roots the server names.
func present(certificates []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certificates) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certificates[0], nil
	}
}

func rotatesUnderLoad(t *testing.T, program string) {
	m := newMesh(t, program)
	first := testkit.CA(t)
	m.trust("first", first)
	p := m.start(nil)
	m.reference()
	p.waitReady(pipyAddress)
	application(t, m.otherPod, "[::]:8080")
	ctx, cancel := context.WithCancel(t.Context())
	var load errgroup.Group
	var requests atomic.Int64
	for range 4 {
		load.Go(func() error {
			for ctx.Err() == nil {
				if code, body := ask(p.n, http.MethodGet, "http://10.0.0.2:8080/", nil); code != http.StatusOK {
					return fmt.Errorf("%d %s", code, body)
				}
				requests.Add(1)
			}
			return nil
		})
	}
	serial := p.report().Serial
	changes := func(r report, roots int) bool { return r.Serial != serial && len(r.Roots) == roots }
	if _, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookbuyer", "bookbuyer")); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "a new leaf", func() bool { return changes(p.report(), 1) })

	next := testkit.CA(t)
	m.trust("first", first, next)
	testkit.Eventually(t, "a second root", func() bool { return len(p.report().Roots) == 2 })
	serial = p.report().Serial
	m.trust("next", next, first)
	testkit.Eventually(t, "a leaf of the second root", func() bool { return changes(p.report(), 2) })
	testkit.Eventually(t, "the peer's leaf of the second root", func() bool {
		c, ok := m.manager.GetCertificate(identityOf(t, "bookstore", "bookstore-v2"))
		return ok && c.Leaf().CheckSignatureFrom(next.Root()) == nil
	})
	before := requests.Load()
	testkit.Eventually(t, "requests between two of the second root", func() bool { return requests.Load() > before+200 })
	m.trust("next", next)
	testkit.Eventually(t, "the second root alone", func() bool { return len(p.report().Roots) == 1 })
	before = requests.Load()
	testkit.Eventually(t, "requests after the first root is gone", func() bool { return requests.Load() > before+200 })
	cancel()
	if err := load.Wait(); err != nil {
		t.Errorf("after %d requests: %v", requests.Load(), err)
	}
	t.Logf("%d requests", requests.Load())
}

func outlivesItsControlPlane(t *testing.T, program string) {
	m := newMesh(t, program)
	p := m.start(nil)
	other := m.reference()
	p.waitReady(pipyAddress)
	application(t, p.n, "[::]:8080")
	application(t, m.otherPod, "[::]:8080")
	// A client that does not wait must not keep others waiting.
	if conn, err := other.DialPeer(t.Context(), "10.0.0.1:8080", identityOf(t, "bookbuyer", "bookbuyer")); err == nil {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		conn.Close()
	}
	// Who may answer there has to be known before.
	if code, body := ask(p.n, http.MethodGet, "http://10.0.0.2:8080/", nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	before := p.report()
	m.stop()
	testkit.Eventually(t, "noticed", func() bool { return !p.report().Connected })
	carries := func(when string) {
		t.Helper()
		if !p.ready(pipyAddress) {
			t.Errorf("%s: not ready", when)
		}
		if code, body := ask(p.n, http.MethodGet, "http://10.0.0.2:8080/", nil); code != http.StatusOK {
			t.Errorf("%s, out: %d %s", when, code, body)
		}
		conn, err := other.DialPeer(t.Context(), "10.0.0.1:8080", identityOf(t, "bookbuyer", "bookbuyer"))
		if err != nil {
			t.Fatalf("%s, in: %v", when, err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if answer := heard(conn); !strings.Contains(answer, "200 OK") {
			t.Errorf("%s, in: %q", when, answer)
		}
	}
	carries("without a control plane")
	m.setToken("renewed")
	m.serve()
	testkit.Eventually(t, "refused with the old token", func() bool { return strings.Contains(p.report().LastError, "cannot authenticate the caller") })
	p.mount("token", nil)
	testkit.Eventually(t, "without a token", func() bool {
		e := p.report().LastError // of the sidecar, or of the server if the sidecar asks without one
		return strings.Contains(e, "is empty") || strings.Contains(e, "is not of the form")
	})
	p.mount("token", []byte("renewed of bookbuyer/bookbuyer"))
	testkit.Eventually(t, "connected again", func() bool { return p.report().Connected })
	if _, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookbuyer", "bookbuyer")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a new leaf", func() bool { r := p.report(); return r.Serial != before.Serial && r.NACKs == 0 })
	carries("with the control plane again")
	if strings.Contains(p.logged(), "renewed") || strings.Contains(p.logged(), "s3cret") {
		t.Error("a token is in the log")
	}
}

// distrust is in what a sidecar logs that does not trust its control plane, or a configuration that contradicts itself.
var distrust = regexp.MustCompile("the server is not|failed to verify certificate|is not named")

func trustsOnlyItsControlPlane(t *testing.T, program string) {
	cases := []struct {
		name   string
		change func(*injector.Bootstrap)
		roots  *x509.Certificate
	}{
		{"another name", func(b *injector.Bootstrap) { b.SDS.ServerName = "osm-injector.osm-system.cluster.local" }, nil},
		{"another identity of that name", func(b *injector.Bootstrap) {
			b.SDS.ServerIdentity = "spiffe://cluster.local/ns/osm-system/sa/osm-injector"
		}, nil},
		{"another root", nil, testkit.CA(t).Root()},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			m := newMesh(t, program)
			p := m.start(func(b *injector.Bootstrap) {
				if tc.roots != nil {
					b.SDS.CAFile = "/DIRECTORY/other.crt"
				}
				if tc.change != nil {
					tc.change(b)
				}
			})
			if tc.roots != nil {
				p.mount("other.crt", trustbundle.New(tc.roots).PEM())
			}
			testkit.Eventually(t, "refused", func() bool { return distrust.MatchString(p.logged()) })
			if isReference(program) && tc.change != nil {
				return // it ends, since that configuration contradicts itself
			}
			testkit.Eventually(t, "tried again", func() bool { return p.report().Sessions > 2 })
			if p.ready(pipyAddress) || p.report().Updates != 0 {
				t.Error("took secrets")
			}
		})
	}
}

func endsWhenItIsAskedTo(t *testing.T, program string) {
	m := newMesh(t, program)
	p := m.start(nil)
	p.waitReady(pipyAddress)
	if code, _ := ask(p.n, http.MethodPost, "http://"+net.JoinHostPort(pipyAddress, "15902")+"/quit", nil); code != http.StatusNotFound {
		t.Errorf("asked from outside: %d", code)
	}
	if code, body := ask(p.n, http.MethodPost, "http://127.0.0.1:15000/quit", nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
		p.ended <- nil
	case <-time.After(timeLimit):
		t.Error("did not end")
	}
}
