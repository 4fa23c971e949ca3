package pipy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/testkit"
)

// ask returns status and body, 0 if there was no answer.
func ask(n *netns.Namespace, method, url string, header http.Header) (int, string) {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Header = header
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := client(n).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// report is what /certs tells.
type report struct {
	ID, Serial, Version, LastError                      string
	NotAfter                                            time.Time
	Roots                                               []string
	Connected                                           bool
	Sessions, Updates, NACKs, Inbound, Outbound, Denied int
}

func (p *proxy) report() (r report) {
	_, body := ask(p.n, http.MethodGet, "http://127.0.0.1:15000/certs", nil)
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return report{LastError: body}
	}
	return r
}

func (p *proxy) ready(address string) bool {
	code, _ := ask(p.n, http.MethodGet, "http://"+address+":15902/ready", nil)
	return code == http.StatusOK
}

func (p *proxy) waitReady(address string) {
	p.t.Helper()
	testkit.Eventually(p.t, "ready", func() bool { return p.ready(address) })
}

// application serves HTTP/1 and HTTP/2, and says who calls.
func application(t testing.TB, n *netns.Namespace, address string) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			upgrade(t, w)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s %s %q %s", r.Proto, r.Host, r.URL.Path, r.Header["X-Forwarded-Client-Cert"], body)
	})}
	l := listen(t, n, address)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// upgrade leaves HTTP as for WebSocket, the one protocol that Pipy leaves it for.
func upgrade(t testing.TB, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	echo(conn)
}

// accept hands every connection to serve.
func accept(t testing.TB, n *netns.Namespace, address string, serve func(net.Conn)) {
	t.Helper()
	acceptFrom(t, listen(t, n, address), serve)
}

// acceptFrom hands every connection of the listener to serve.
func acceptFrom(t testing.TB, l net.Listener, serve func(net.Conn)) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				conn.Close()
			}()
		}
	}()
}

func echo(conn net.Conn) { io.Copy(conn, conn) }

func greet(conn net.Conn) {
	fmt.Fprint(conn, "220 hello\r\n")
	io.Copy(conn, conn)
}

const (
	buyer  = `["URI=spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"]`
	store  = `["URI=spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"]`
	forged = "URI=spiffe://cluster.local/ns/admin/sa/admin"
)

func TestPipyCarriesConnectionsBothWays(t *testing.T) {
	m := newMesh(t)
	p := m.pipy(nil)
	other := m.reference()
	p.waitReady(pipyAddress)

	if r := p.report(); r.ID != "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer" || len(r.Roots) != 1 || !r.Connected || r.Updates != 1 || r.Serial == "" {
		t.Errorf("%+v", r)
	}
	application(t, m.otherPod, "[::]:8080")
	application(t, m.otherPod, "10.0.0.2:8081")
	application(t, m.pipyPod, "[::]:8080")
	application(t, m.pipyPod, "10.0.0.1:8081")
	application(t, m.pipyPod, "127.0.0.1:8083")
	accept(t, m.otherPod, "[::]:9000", echo)
	accept(t, m.pipyPod, "[::]:9000", echo)
	accept(t, m.otherPod, "[::]:9001", greet)
	accept(t, m.pipyPod, "[::]:9001", greet)

	t.Run("out, an ordinary HTTP client", func(t *testing.T) {
		for _, host := range []string{"10.0.0.2:8080", "[fd00::2]:8080", "10.0.0.2:8081"} {
			code, body := ask(m.pipyPod, http.MethodGet, "http://"+host+"/books", http.Header{"X-Forwarded-Client-Cert": {forged}})
			if want := "HTTP/1.1 " + host + " /books " + buyer + " "; code != 200 || body != want {
				t.Errorf("%d %s, want %s", code, body, want)
			}
		}
	})
	t.Run("out, an echo and a greeting", func(t *testing.T) {
		talk(t, m.pipyPod, "10.0.0.2:9000", "", "\x00\x01ping\n")
		talk(t, m.pipyPod, "10.0.0.2:9001", "220 hello\r\n", "EHLO me\r\n")
	})
	t.Run("out, what is not intercepted", func(t *testing.T) {
		header := http.Header{"X-Osm-Peer": {"spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"}, "Host": {"10.0.0.2:8080"}}
		if code, body := ask(m.pipyPod, http.MethodGet, "http://127.0.0.1:15001/books", header); code != 0 {
			t.Errorf("%d %s", code, body)
		}
	})

	// What the reference sidecar sends is intercepted at Pipy's pod.
	secure := func(address string) net.Conn {
		t.Helper()
		conn, err := other.DialPeer(t.Context(), address, identityOf(t, "bookbuyer", "bookbuyer"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	t.Run("in, HTTP/1 and HTTP/2", func(t *testing.T) {
		for _, host := range []string{"10.0.0.1:8080", "[fd00::1]:8080", "10.0.0.1:8081"} {
			for _, h2 := range []bool{false, true} {
				var protocols http.Protocols
				protocols.SetHTTP1(!h2)
				protocols.SetUnencryptedHTTP2(h2)
				c := &http.Client{Timeout: timeLimit, Transport: &http.Transport{Protocols: &protocols,
					DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return secure(address), nil }}}
				for range 3 {
					r, err := http.NewRequest(http.MethodPost, "http://"+host+"/buy", strings.NewReader("a book"))
					if err != nil {
						t.Fatal(err)
					}
					r.Header = http.Header{"X-Forwarded-Client-Cert": {forged, forged}, "X_forwarded_client_cert": {forged}, "X.Forwarded~Client!Cert": {forged}}
					response, err := c.Do(r)
					if err != nil {
						t.Fatalf("%s, HTTP/2 %v: %v", host, h2, err)
					}
					body, err := io.ReadAll(response.Body)
					response.Body.Close()
					want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2] + " " + host + " /buy " + store + " a book"
					if err != nil || string(body) != want {
						t.Errorf("%s %v, want %s", body, err, want)
					}
				}
				c.CloseIdleConnections()
			}
		}
	})
	t.Run("in, not what is open on loopback only", func(t *testing.T) {
		conn := secure("10.0.0.1:8083")
		if err := conn.SetDeadline(time.Now().Add(timeLimit)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusBadGateway {
			t.Errorf("%v, %v", response, err)
		}
	})
	t.Run("in, an echo and a greeting", func(t *testing.T) {
		speak(t, secure("10.0.0.1:9000"), "", "\x00\x01ping\n")
		speak(t, secure("10.0.0.1:9001"), "220 hello\r\n", "EHLO me\r\n")
		speak(t, secure("10.0.0.1:9001"), "220 hello\r\n", "EHLO again\r\n")
	})
	t.Run("in, what leaves HTTP", func(t *testing.T) {
		conn := secure("10.0.0.1:8080")
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		if err := conn.SetReadDeadline(time.Now().Add(timeLimit)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		response, err := http.ReadResponse(r, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", response, err)
		}
		fmt.Fprint(conn, "ping\n")
		if line, err := r.ReadString('\n'); line != "ping\n" {
			t.Errorf("%q, %v", line, err)
		}
	})
	t.Run("in, requests that are made to slip through", func(t *testing.T) {
		for _, request := range []string{
			"GET / HTTP/1.1\nHost: a\nX-Forwarded-Client-Cert: " + forged + "\n\n",
			"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"get\t/ http/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert : " + forged + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n\tX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Other: b\rX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"\x01GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200) + "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"PROPFIND / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-client-cert\r\nX-Forwarded-Client-Cert: " + forged + "\r\n\r\n",
		} {
			conn := secure("10.0.0.1:8080")
			fmt.Fprint(conn, request)
			if answer := heard(conn); strings.Contains(answer, "admin") || strings.Contains(answer, "200 OK") && !strings.Contains(answer, store) {
				t.Errorf("%q: %s", request, answer)
			}
		}
		// Silent until the sidecar has made up its mind, and then in two pieces.
		conn := secure("10.0.0.1:8080")
		testkit.Eventually(t, "a second passes", aSecond())
		fmt.Fprint(conn, "GET / HT")
		testkit.Eventually(t, "a second passes", aSecond())
		fmt.Fprint(conn, "TP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: "+forged+"\r\n\r\n")
		if answer := heard(conn); strings.Contains(answer, "admin") {
			t.Error(answer)
		}
	})
	t.Run("in, the sidecar's own ports", func(t *testing.T) {
		for _, address := range []string{"10.0.0.1:15000", "10.0.0.1:15001"} {
			conn, err := other.DialPeer(t.Context(), address, identityOf(t, "bookbuyer", "bookbuyer"))
			if err == nil {
				t.Errorf("%s: connected, and heard %s", address, heard(conn))
			}
		}
	})
	for _, secret := range []string{"PRIVATE KEY", "s3cret"} {
		_, certs := ask(m.pipyPod, http.MethodGet, "http://127.0.0.1:15000/certs", nil)
		if strings.Contains(p.logged()+certs, secret) {
			t.Errorf("Pipy tells %s", secret)
		}
	}
}

// aSecond is over after a second.
func aSecond() func() bool {
	end := time.Now().Add(time.Second)
	return func() bool { return time.Now().After(end) }
}

// talk connects and speaks.
func talk(t testing.TB, n *netns.Namespace, address, greeting, line string) {
	t.Helper()
	conn, err := dial(n, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	speak(t, conn, greeting, line)
}

// speak waits for the greeting, sends the line and gets it back.
func speak(t testing.TB, conn net.Conn, greeting, line string) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if greeting != "" {
		if got, err := r.ReadString('\n'); got != greeting {
			t.Fatalf("greeted with %q, %v", got, err)
		}
	}
	fmt.Fprint(conn, line)
	if got, err := r.ReadString('\n'); got != line {
		t.Fatalf("heard %q, %v", got, err)
	}
}

// heard returns what comes within a second.
func heard(conn net.Conn) string {
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err.Error()
	}
	all, _ := io.ReadAll(conn) // up to the deadline
	return string(all)
}
