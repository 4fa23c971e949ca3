//go:build hostile

package network

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/attack"
)

// recorder is an application that tells all that it was told. It says greeting
// first, and answers each line with answer.
type recorder struct {
	mu    sync.Mutex
	heard strings.Builder
}

// Write implements io.Writer.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard.Write(p)
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heard.String()
}

func (s *store) record(address, greeting, answer string) (*recorder, string) {
	r := &recorder{}
	l := s.listen(s.pod, address)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn, greeting, answer)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return r, port
}

func (r *recorder) serve(conn net.Conn, greeting, answer string) {
	defer conn.Close()
	fmt.Fprint(conn, greeting)
	in := bufio.NewReader(io.TeeReader(conn, r))
	for {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		fmt.Fprint(conn, answer)
	}
}

// refused tries what must not come through to an application that records it.
// steps are said one after another, each after the answer to the one before.
func (s *store) refused(r *recorder, address, mustNot string, byByte bool, steps ...string) (string, error) {
	conn, err := s.secure(address)
	if err != nil {
		return "no connection", nil
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i, step := range steps {
		if i > 0 {
			conn.SetReadDeadline(time.Now().Add(stepTimeout))
			if _, err := in.ReadString('\n'); err != nil {
				break // it was ended
			}
		}
		for _, part := range parts(step, byByte) {
			if _, err = io.WriteString(conn, part); err != nil {
				break
			}
		}
	}
	// The sidecar ends it, or the application would have got all in this time.
	conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	heard, err := io.ReadAll(in)
	if text := r.text(); strings.Contains(strings.ToLower(text), strings.ToLower(mustNot)) {
		return "", fmt.Errorf("the application was told %.300q", text)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "nothing forged came through", nil
	}
	return fmt.Sprintf("the connection ended after %d bytes", len(heard)), nil
}

func parts(text string, byByte bool) []string {
	if byByte {
		return strings.Split(text, "")
	}
	return []string{text}
}

func TestSidecars(t *testing.T) {
	for name, start := range sidecars() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, start)
			area := "sidecar " + name
			t.Run("mode", func(t *testing.T) { s.attackMode(t, area) })
			t.Run("caller", func(t *testing.T) { s.attackCaller(t, area) })
			t.Run("probes", func(t *testing.T) { s.attackProbes(t, area) })
			t.Run("memory", func(t *testing.T) { s.attackMemory(t, area) })
			t.Run("upgrades", func(t *testing.T) { s.attackUpgrades(t, area) })
			t.Run("controls", func(t *testing.T) { s.control(t, area) })
		})
	}
}

// attackMode has the sidecar take connections for others than they are.
func (s *store) attackMode(t *testing.T, area string) {
	near, nearPort := s.record("127.0.0.1:0", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	for _, address := range []string{storeAddress + ":15003", "[fd00::1]:15003", storeAddress + ":15001", storeAddress + ":15000", storeAddress + ":15009"} {
		attack.Refused(t, area, "what listens on loopback, by "+address, func(t *testing.T) (string, error) {
			return s.refused(near, address, "GET", false, "GET / HTTP/1.1\r\nHost: x:"+nearPort+"\r\n\r\n")
		})
	}
	attack.Refused(t, area, "the admin port, by the inbound one", func(t *testing.T) (string, error) {
		conn, err := s.secure(storeAddress + ":15003")
		if err != nil {
			return "no connection", nil
		}
		if heard, err := talk(conn, "GET /certs HTTP/1.1\r\nHost: x:15000\r\n\r\n", 2*time.Second); strings.Contains(heard, "serial") {
			return "", fmt.Errorf("told %q, %v", heard, err)
		}
		return "the connection ended", nil
	})
	attack.Refused(t, area, "the outbound port, by the pod itself", func(t *testing.T) (string, error) {
		conn, err := dial(s.pod, "127.0.0.1:15001")
		if errors.Is(err, syscall.ECONNRESET) {
			return "reset as early as it was connected", nil
		}
		if err != nil {
			return "", err
		}
		heard, err := talk(conn, "GET / HTTP/1.1\r\nHost: "+attackerAddress+"\r\nX-Osm-Peer: "+attackerID+"\r\n\r\n", 5*time.Second)
		if heard != "" {
			return "", fmt.Errorf("answered %q", heard)
		}
		return fmt.Sprintf("ended, %v", err), nil
	})
	attack.Refused(t, area, "a client that never begins its handshake", func(t *testing.T) (string, error) {
		conn, err := dial(s.attacker, storeAddress+":8080")
		if err != nil {
			return "", err
		}
		begin := time.Now()
		if _, err := talk(conn, "", 45*time.Second); time.Since(begin) > 40*time.Second {
			return "", fmt.Errorf("open after %s, %v", time.Since(begin), err)
		}
		return "ended after " + time.Since(begin).Round(time.Second).String(), nil
	})
}

const hidden = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: URI=" + forged + "\r\n\r\n"

// attackCaller forges who calls.
func (s *store) attackCaller(t *testing.T, area string) {
	app, port := s.record("[::]:0", "", "500 what?\r\n")
	address := net.JoinHostPort(storeAddress, port)
	before := map[string]string{
		"one control character": "\x01", "a NUL": "\x00", "many control characters": strings.Repeat("\x01\x02", 2000), "70,000 of them": strings.Repeat("\x01", 70000),
		"empty lines": "\r\n\r\n\n", "a byte order mark": "\xef\xbb\xbf", "another": "\xfe\xff", "what looks like TLS": "\x16\x03\x01\x02\x00\x01",
		"a PROXY line": "PROXY TCP4 10.0.0.9 10.0.0.1 1 80\r\n", "PROXY, version 2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c",
		"a line of another protocol": "EHLO me\r\n", "letters": "xyz", "quotes": `"`, "white space of Latin-1": "\xa0\x85", "Redis": "*1\r\n$4\r\n",
	}
	for what, junk := range before {
		for _, byByte := range []bool{false, true} {
			if byByte && len(junk) > 100 {
				continue
			}
			attack.Refused(t, area, fmt.Sprintf("a request after %s, by bytes %t", what, byByte), func(t *testing.T) (string, error) {
				return s.refused(app, address, forged, byByte, junk+hidden)
			})
		}
	}
	for what, request := range map[string]string{
		"after an answer":          hidden,
		"after an answer, HTTP/2":  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + forged,
		"after a line of the turn": "NOOP\r\n" + hidden,
		"without a version":        "GET /\r\nX_Forwarded.Client~Cert : URI=" + forged + "\r\n\r\n",
	} {
		attack.Refused(t, area, "a request "+what, func(t *testing.T) (string, error) {
			return s.refused(app, address, forged, false, "HELLO\r\n", request)
		})
	}
	greeter, greeting := s.record("[::]:0", "220 hello\r\n", "250 OK\r\n")
	attack.Refused(t, area, "a request after a greeting", func(t *testing.T) (string, error) {
		return s.refused(greeter, net.JoinHostPort(storeAddress, greeting), forged, false, "", hidden)
	})
	s.attackDeclared(t, area)
	s.attackNames(t, area)
}

// attackDeclared sends a port that is declared HTTP what is not quite that.
func (s *store) attackDeclared(t *testing.T, area string) {
	app, _ := s.record(fmt.Sprintf("%s:%d", storeAddress, declaredPort), "", "")
	const mark = "zzz"
	for what, request := range map[string]string{
		"one control character before it": "\x01GET /zzz HTTP/1.1\r\nHost: a\r\n\r\n", "a bare LF": "GET /zzz HTTP/1.1\nHost: a\n\n", "an empty line before it": "\r\nGET /zzz HTTP/1.1\r\nHost: a\r\n\r\n",
		"two spaces": "GET  /zzz HTTP/1.1\r\nHost: a\r\n\r\n", "a small version": "GET /zzz http/1.1\r\nHost: a\r\n\r\n", "a folded line": "GET /zzz HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n",
		"a bare CR": "GET /zzz HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n", "two lengths": "POST /zzz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"no HTTP": "zzz\r\n", "TLS": "\x16\x03\x01\x00\x04zzz\r\n", "a space before the colon": "GET /zzz HTTP/1.1\r\nHost : a\r\n\r\n", "no version": "GET /zzz\r\n\r\n",
		"half of HTTP/2's preface": "PRI * HTTP/2.0\r\n\r\nzz\r\n\r\nzzz", "a HEAD with content": "HEAD /zzz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
	} {
		attack.Refused(t, area, "a declared port, "+what, func(t *testing.T) (string, error) {
			return s.refused(app, fmt.Sprintf("%s:%d", storeAddress, declaredPort), mark, false, request)
		})
	}
}

// attackNames writes the header in spellings that some servers take for it.
func (s *store) attackNames(t *testing.T, area string) {
	port := s.serveHTTP(t)
	for _, name := range []string{
		"X-Forwarded-Client-Cert", "x_forwarded_client_cert", "x.forwarded.client.cert", "X_Forwarded~Client!Cert", "X-Forwarded-Client-Cert-", "xforwardedclientcert", "X'Forwarded|Client^Cert",
	} {
		attack.Refused(t, area, "the header as "+name, func(t *testing.T) (string, error) {
			conn, err := s.secure(net.JoinHostPort(storeAddress, port))
			if err != nil {
				return "", err
			}
			heard, err := talk(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+name+": URI="+forged+"\r\n\r\n", 5*time.Second)
			if strings.Contains(heard, forged) || strings.Contains(heard, " 200 ") && !strings.Contains(heard, attackerID) {
				return "", fmt.Errorf("answered %q, %v", heard, err)
			}
			return strings.SplitN(heard, "\r\n", 2)[0], nil
		})
	}
}

// serveHTTP has an application tell the header that it was told.
func (s *store) serveHTTP(t *testing.T) (port string) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, r.Header)
	})}
	l := s.listen(s.pod, "[::]:0")
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// attackProbes leads the kubelet's probes elsewhere.
func (s *store) attackProbes(t *testing.T, area string) {
	app, _ := s.record(fmt.Sprintf("[fd00::1]:%d", declaredPort), "", "")
	attack.Refused(t, area, "headers that lead a probe elsewhere", func(t *testing.T) (string, error) {
		names := []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Host", "X_Original_Url", "X-HTTP-Method-Override", "Forwarded", "Authorization", "Cookie"}
		text := "GET /osm/app/liveness HTTP/1.1\r\nHost: zzz\r\n" + strings.Join(names, ": /zzz\r\n") + ": /zzz\r\nConnection: close\r\n\r\n"
		if _, err := s.plain("[fd00::1]:15901", text); err != nil && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
			return "", err
		}
		if heard := app.text(); !strings.Contains(heard, "GET /healthz HTTP/1.1") || strings.Contains(heard, "zzz") {
			return "", fmt.Errorf("the application was told %q", heard)
		}
		return "the application was asked as by the kubelet", nil
	})
}

// control is what must work beside.
func (s *store) control(t *testing.T, area string) {
	port := s.serveHTTP(t)
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		attack.Works(t, area, version+" says who calls", func(t *testing.T) (string, error) {
			var protocols http.Protocols
			protocols.SetHTTP1(version == "HTTP/1.1")
			protocols.SetUnencryptedHTTP2(version != "HTTP/1.1")
			client := &http.Client{Timeout: stepTimeout, Transport: &http.Transport{Protocols: &protocols,
				DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return s.secure(address) }}}
			response, err := client.Get("http://" + net.JoinHostPort(storeAddress, port) + "/")
			if err != nil {
				return "", err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if !strings.HasPrefix(string(body), version) || !strings.Contains(string(body), attackerID) {
				return "", fmt.Errorf("%s, %v", body, err)
			}
			return "the application is told", nil
		})
	}
	page := "<p>GET / HTTP/1.1\r\nHost: a\r\n</p>\r\n"
	for what, steps := range map[string][]string{
		"a mail that tells of HTTP":      {"", "EHLO me\r\n", "DATA\r\n", "Subject: HTTP\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n"},
		"a cache that is given a page":   {"", "*1\r\n", fmt.Sprintf("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s", len(page), page)},
		"an application that logs heads": {"", "begin\n", `{"x-forwarded-client-cert": "URI=a", "line": "GET / HTTP/1.1"}` + "\n"},
	} {
		attack.Works(t, area, what, func(t *testing.T) (string, error) { return s.through(steps...) })
	}
	attack.Works(t, area, "TLS of the application's own", func(t *testing.T) (string, error) { return s.tlsThrough(port) })
	attack.Works(t, area, "a connection that is idle for longer than a handshake may take", func(t *testing.T) (string, error) {
		_, port := s.record("[::]:0", "220 hello\r\n", "250 OK\r\n")
		conn, err := s.secure(net.JoinHostPort(storeAddress, port))
		if err != nil {
			return "", err
		}
		if heard, err := talk(conn, "", 35*time.Second); heard != "220 hello\r\n" || err != nil {
			return "", fmt.Errorf("%q, %v", heard, err)
		}
		if heard, err := talk(conn, "NOOP\r\n", time.Second); heard != "250 OK\r\n" || err != nil {
			return "", fmt.Errorf("after a while %q, %v", heard, err)
		}
		return "open after 35s", nil
	})
}

// through has an application that greets hear all the steps.
func (s *store) through(steps ...string) (string, error) {
	app, port := s.record("[::]:0", "220 hello\r\n", "250 OK\r\n")
	conn, err := s.secure(net.JoinHostPort(storeAddress, port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, step := range steps {
		if _, err := io.WriteString(conn, step); err != nil {
			return "", err
		}
		if err := conn.SetReadDeadline(time.Now().Add(stepTimeout)); err != nil {
			return "", err
		}
		if _, err := in.ReadString('\n'); err != nil {
			return "", fmt.Errorf("after %q: %w", step, err)
		}
	}
	s.await("all of it came", func() bool { return app.text() == strings.Join(steps, "") })
	return "all of it came through", nil
}

// tlsThrough asks an HTTP server by TLS, within the mesh's.
func (s *store) tlsThrough(string) (string, error) {
	config := &tls.Config{Certificates: []tls.Certificate{s.certificate("inner")}}
	l := tls.NewListener(s.listen(s.pod, "[::]:0"), config)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "inner") })}
	go server.Serve(l)
	defer server.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	conn, err := s.secure(net.JoinHostPort(storeAddress, port))
	if err != nil {
		return "", err
	}
	inner := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	heard, err := talk(inner, strings.Replace(hidden, "Host: a\r\n", "Host: a\r\nConnection: close\r\n", 1), 5*time.Second)
	if !strings.HasSuffix(heard, "inner") {
		return "", fmt.Errorf("%q, %v", heard, err)
	}
	return "passed on byte by byte", nil
}
