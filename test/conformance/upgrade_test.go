package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/osm-edge/osm/injector"
)

const upgrading = "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"

// heads accepts, answers each piece with 200, and tells what a connection brought.
func heads(t *testing.T, p *proxy, address string) <-chan string {
	t.Helper()
	brought := make(chan string, 10)
	accept(t, p.n, address, func(conn net.Conn) {
		var all []byte
		piece := make([]byte, 64<<10)
		for {
			if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				break // Pipy keeps the connection for another request
			}
			n, err := conn.Read(piece)
			if all = append(all, piece[:n]...); err != nil {
				break
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		brought <- string(all)
	})
	return brought
}

// agreesToNoUpgradeToHTTPOfADeclaredPort is of what Java's client asks
// for by itself.
func agreesToNoUpgradeToHTTPOfADeclaredPort(t *testing.T, program string) {
	m := newMesh(t, program)
	p := m.start(func(b *injector.Bootstrap) { b.HTTPPorts = []uint16{8080} })
	other := m.reference()
	p.waitReady(pipyAddress)
	brought := heads(t, p, "[::]:8080")
	conn, err := other.DialPeer(t.Context(), "10.0.0.1:8080", identityOf(t, "bookbuyer", "bookbuyer"))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for range 2 {
		fmt.Fprint(conn, upgrading)
		if response, err := http.ReadResponse(answers, nil); err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
	}
	conn.Close()
	if got := <-brought; strings.Count(got, "GET /up ") != 2 || strings.Contains(got, "Upgrade:") {
		t.Errorf("%q", got)
	}
}

// TestWhatPipyItselfUpgradesIsWrittenRight is of ports that are not declared.
// There Pipy answers 101, and writes the requests that follow by HTTP/1.1.
func TestWhatPipyItselfUpgradesIsWrittenRight(t *testing.T) {
	m := newMesh(t, pipyBinary(t))
	p := m.start(nil)
	other := m.reference()
	p.waitReady(pipyAddress)
	brought := heads(t, p, "[::]:8080")
	hidden := "GET /hidden HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: URI=spiffe://evil\r\n\r\n"
	for name, fields := range map[string][]string{
		"a HEAD with content":      {":method", "HEAD", ":path", "/p"},
		"another transfer coding":  {":method", "POST", ":path", "/p", "Transfer-Encoding", "chunked"},
		"another length":           {":method", "HEAD", ":path", "/p", "Content-Length", "0"},
		"a target with a version":  {":method", "GET", ":path", "/p HTTP/1.1"},
		"a method with a version":  {":method", "GET /p HTTP/1.1", ":path", "/p"},
		"a line within the target": {":method", "GET", ":path", "/p\r\nX-Forwarded-Client-Cert: URI=spiffe://evil"},
	} {
		conn, err := other.DialPeer(t.Context(), "10.0.0.1:8080", identityOf(t, "bookbuyer", "bookbuyer"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, upgrading)
		if err := conn.SetReadDeadline(time.Now().Add(timeLimit)); err != nil {
			t.Fatal(err)
		}
		if response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 80)), nil); err == nil && response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("Pipy agrees to no upgrade any more: %v", response)
		}
		fmt.Fprint(conn, http2.ClientPreface)
		framer, block := http2.NewFramer(conn, conn), new(bytes.Buffer)
		encoder := hpack.NewEncoder(block)
		for i, fields := 0, append([]string{":scheme", "http", ":authority", "a"}, fields...); i < len(fields); i += 2 {
			if err := encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range []error{
			framer.WriteSettings(),
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block.Bytes(), EndHeaders: true}),
			framer.WriteData(3, true, []byte(hidden)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for answered := false; !answered; { // or ended
			frame, err := framer.ReadFrame()
			answered = err != nil || frame.Header().StreamID == 3
		}
		conn.Close()
		for got := range oneOrTwo(brought) {
			if strings.Contains(got, "evil") || strings.Contains(strings.ToLower(got), "\r\ntransfer-encoding") || strings.Contains(got, "HTTP/1.1 HTTP/1.1") ||
				strings.HasPrefix(got, "HEAD") && strings.Contains(got, "content-length: "+fmt.Sprint(len(hidden))) {
				t.Errorf("%s: the application got %q", name, got)
			}
		}
	}
}

// oneOrTwo are what the connection of the request that asks for the upgrade
// brought, and that of the one that follows, if it came through.
func oneOrTwo(brought <-chan string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for n := 0; n < 2; n++ {
			select {
			case got := <-brought:
				if !yield(got) {
					return
				}
			case <-time.After(2 * time.Second):
				return
			}
		}
	}
}
