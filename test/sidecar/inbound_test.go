package sidecar_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

func TestEveryRequestOfAConnectionSaysWhoCalls(t *testing.T) {
	for name, protocols := range map[string]http.Protocols{"HTTP/1": http1(), "HTTP/2": http2()} {
		t.Run(name, func(t *testing.T) {
			requests := make(chan *http.Request, 1)
			p := newPods(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				requests <- r
				fmt.Fprint(w, r.Proto)
			}))
			client := p.client(protocols)
			for i := range 5 {
				r, err := http.NewRequestWithContext(t.Context(), "REPORT", "http://bookstore.bookstore:8080/a%2Fb//c?q=1;2", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{
					peerHeader:                {forged, forged},
					"x-forwarded-client-cert": {forged},
					"X_forwarded_client-Cert": {forged},
					"X-Forwarded-For":         {"192.0.2.1"},
					"User-Agent":              nil,
				}
				if i%2 == 1 && !protocols.UnencryptedHTTP2() {
					r.Header.Set("Connection", peerHeader)
				}
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if want := name; !strings.HasPrefix(string(body), want) {
					t.Errorf("the application is asked by %s, its peer by %s", body, want)
				}
				got := <-requests
				for header, values := range got.Header {
					if strings.Contains(strings.ToLower(header), "client") && (header != peerHeader || len(values) != 1 || values[0] != "URI="+buyerID) {
						t.Errorf("the application is told %s: %q", header, values)
					}
				}
				if got.Header.Get(peerHeader) == "" {
					t.Error("the application is not told who calls")
				}
				if got.Method != "REPORT" || got.Host != "bookstore.bookstore:8080" || got.RequestURI != "/a%2Fb//c?q=1;2" ||
					got.Header.Get("X-Forwarded-For") != "192.0.2.1" || got.UserAgent() != "" {
					t.Errorf("the application is asked %s %s%s with %v", got.Method, got.Host, got.RequestURI, got.Header)
				}
			}
		})
	}
}

func TestLargeBodiesGoBothWays(t *testing.T) {
	content := make([]byte, 16<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	for name, protocols := range map[string]http.Protocols{"HTTP/1": http1(), "HTTP/2": http2()} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
				if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
					t.Error(err)
				}
				if _, err := io.Copy(w, r.Body); err != nil {
					t.Error(err)
				}
			}))
			response, err := p.client(protocols).Post("http://store/", "application/octet-stream", bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close() // all is read
			if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
			}
		})
	}
}

func TestGRPCGoesThroughWithItsStreamsAndTrailers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan []string, 10)
	server := grpc.NewServer(grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		seen <- metadata.ValueFromIncomingContext(stream.Context(), peerHeader)
		return handler(srv, stream)
	}))
	service := health.NewServer()
	healthpb.RegisterHealthServer(server, service)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	p := newPods(t, l.Addr().String())
	conn, err := grpc.NewClient("passthrough:///store", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return p.call(), nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // nothing is lost with it
	client := healthpb.NewHealthClient(conn)
	for range 3 {
		ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), peerHeader, forged))
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []healthpb.HealthCheckResponse_ServingStatus{1, 2, 1} {
			service.SetServingStatus("", want)
			if got, err := stream.Recv(); err != nil || got.GetStatus() != want {
				t.Fatalf("%v, %v, want %v", got, err, want)
			}
		}
		cancel()
		if got := <-seen; len(got) != 1 || got[0] != "URI="+buyerID {
			t.Errorf("the application is told %q", got)
		}
	}
	if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "unheard of"}); err == nil || !strings.Contains(err.Error(), "NotFound") {
		t.Errorf("the trailers say %v", err)
	}
}

func TestAWebSocketIsUpgraded(t *testing.T) {
	p := newPods(t, serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get(peerHeader) != "URI="+buyerID {
			t.Errorf("the application is asked with %v", r.Header)
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() // what was said counts
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, err := buffered.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(conn, "echo "+line)
	}))
	conn := p.call()
	fmt.Fprint(conn, "GET /chat HTTP/1.1\r\nHost: store\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	answers := bufio.NewReader(conn)
	response, err := http.ReadResponse(answers, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	fmt.Fprint(conn, "hello\n")
	if got, err := answers.ReadString('\n'); err != nil || got != "echo hello\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestNothingLeadsToUnseenRequests(t *testing.T) {
	for _, upgrade := range []string{"h2c", "H2C", "websocket, h2c", "TLS/1.2, HTTP/1.1", "HTTP/2.0"} {
		t.Run(upgrade, func(t *testing.T) {
			headers := make(chan http.Header, 1)
			p := newPods(t, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header }))
			fmt.Fprint(p.call(), "GET / HTTP/1.1\r\nHost: store\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nUpgrade: "+upgrade+"\r\n\r\n")
			if got := <-headers; got.Get("Upgrade") != "" || got.Get("Connection") != "" || got.Get("Http2-Settings") != "" {
				t.Errorf("the application is asked with %v", got)
			}
		})
	}
	t.Run("CONNECT", func(t *testing.T) {
		p := newPods(t, serveHTTP(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
		conn := p.call()
		fmt.Fprint(conn, "CONNECT store:80 HTTP/1.1\r\nHost: store:80\r\n\r\n")
		if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusNotImplemented {
			t.Errorf("%v, %v", response, err)
		}
	})
}

func TestSmugglersAreRefused(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: store\r\n"
	hidden := "GET /hidden HTTP/1.1\r\nHost: store\r\n" + peerHeader + ": " + forged + "\r\n\r\n"
	cases := map[string]string{
		"two lengths":                   head + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + hidden,
		"a length of two numbers":       head + "Content-Length: 0, 5\r\n\r\n" + hidden,
		"a length with a sign":          head + "Content-Length: +0\r\n\r\n" + hidden,
		"an unknown coding":             head + "Transfer-Encoding: xchunked\r\n\r\n" + hidden,
		"two codings":                   head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"white space before the colon":  head + peerHeader + " : " + forged + "\r\n\r\n",
		"white space before the header": "GET / HTTP/1.1\r\n " + peerHeader + ": " + forged + "\r\nHost: store\r\n\r\n",
		"no version":                    "GET /\r\n" + peerHeader + ": " + forged + "\r\n\r\n",
		"white space before the method": " GET / HTTP/1.1\r\nHost: store\r\n" + peerHeader + ": " + forged + "\r\n\r\n",
		"other white space":             "GET\v/\vHTTP/1.1\r\nHost: store\r\n" + peerHeader + ": " + forged + "\r\n\r\n",
		"a bare CR":                     "GET / HTTP/1.1\rHost: store\r" + peerHeader + ": " + forged + "\r\r\n\r\n",
		"half of HTTP/2's preface":      "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + hidden,
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPods(t, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/hidden" || r.Header.Get(peerHeader) != "URI="+buyerID {
					t.Errorf("the application is asked %s with %v", r.URL, r.Header)
				}
			}))
			conn := p.call()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			line, err := textproto.NewReader(bufio.NewReader(conn)).ReadLine()
			if err == nil && !strings.HasPrefix(line, "HTTP/1.1 4") && !strings.HasPrefix(line, "HTTP/1.1 5") {
				t.Errorf("%q", line)
			}
		})
	}
	t.Run("a length beside a coding does not count", func(t *testing.T) {
		bodies := make(chan string, 2)
		p := newPods(t, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			bodies <- fmt.Sprint(string(body), r.Header.Get("Content-Length"), err)
		}))
		conn := p.call()
		fmt.Fprint(conn, head+"Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"+peerHeader+": "+forged+"\r\n\r\n")
		if got := <-bodies; got != "ab<nil>" {
			t.Errorf("%q", got)
		}
	})
}
