package sidecar_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/sidecar"
)

func TestAnApplicationMaySpeakFirst(t *testing.T) {
	p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
		if _, err := io.WriteString(conn, "220 ready\r\n"); err != nil {
			return err
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "250 "+line)
		return err
	}))
	conn := p.call()
	answers := bufio.NewReader(conn)
	for _, want := range []string{"220 ready\r\n", "250 EHLO buyer\r\n"} {
		if got, err := answers.ReadString('\n'); err != nil || got != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
		if _, err := io.WriteString(conn, "EHLO buyer\r\n"); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	}
}

func TestEachDirectionEndsOnItsOwn(t *testing.T) {
	const size = 8 << 20
	t.Run("the client is done first", func(t *testing.T) {
		p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
			n, err := io.Copy(io.Discard, conn)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(conn, "%d bytes", n)
			return err
		}))
		if got, want := say(t, p.call(), strings.Repeat("\x00", size)), fmt.Sprintf("%d bytes", size); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("the application is done first", func(t *testing.T) {
		said := make(chan string, 1)
		p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
			if _, err := io.WriteString(conn, strings.Repeat("x", size)); err != nil {
				return err
			}
			if err := conn.CloseWrite(); err != nil {
				return err
			}
			rest, err := io.ReadAll(conn)
			said <- string(rest)
			return err
		}))
		conn := p.call()
		if n, err := io.Copy(io.Discard, conn); err != nil || n != size {
			t.Fatalf("%d bytes, %v", n, err)
		}
		say(t, conn, "thanks")
		if got := <-said; got != "thanks" {
			t.Errorf("%q", got)
		}
	})
	t.Run("nothing is said at all", func(t *testing.T) {
		p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
			_, err := io.Copy(conn, conn)
			return err
		}))
		if got := say(t, p.call(), ""); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// TestBytesThatMightBecomeARequestGoOn has a client wait for the echo of half a
// line, which could be the begin of a request with a method of its own.
func TestBytesThatMightBecomeARequestGoOn(t *testing.T) {
	p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
		_, err := io.Copy(conn, conn)
		if errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "reset") {
			return nil
		}
		return err
	}))
	echo := func(conn net.Conn, text string) (string, error) {
		if _, err := io.WriteString(conn, text); err != nil {
			return "", err
		}
		answer := make([]byte, len(text))
		_, err := io.ReadFull(conn, answer)
		return string(answer), err
	}
	conn := p.call()
	if got, err := echo(conn, "hello"); err != nil || got != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := echo(conn, " world\n"); err != nil || got != " world\n" {
		t.Fatalf("%q, %v", got, err)
	}
	late := p.call()
	if got, err := echo(late, "FETCH / HT"); err != nil || got != "FETCH / HT" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := echo(late, "TP/1.1\r\n"+peerHeader+": "+forged+"\r\n\r\n"); err == nil {
		t.Fatalf("a request got through in pieces: %q", got)
	}
}

func TestAnApplicationIsFoundAtThePodsAddress(t *testing.T) {
	p := newPods(t, serveTCP(t, "127.0.0.2:0", func(conn *net.TCPConn) error {
		_, err := io.Copy(conn, conn)
		return err
	}))
	if got := say(t, p.call(), "\x00ping"); got != "\x00ping" {
		t.Errorf("%q", got)
	}
}

func TestWhatIsNotToBeReachedIsNot(t *testing.T) {
	reached := func(conn *net.TCPConn) error {
		greeting := make([]byte, 1)
		if _, err := conn.Read(greeting); err == nil && greeting[0] != 0x16 { // the handshake of TLS (RFC 8446, section 5.1)
			return errors.New("reached without TLS")
		}
		return nil
	}
	cases := []struct {
		name   string
		change func(t *testing.T, buyer, store *sidecar.Options)
	}{
		{"a server without a sidecar", func(_ *testing.T, buyer, _ *sidecar.Options) {
			dial := buyer.Dial
			buyer.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "127.") {
					return new(net.Dialer).DialContext(ctx, "tcp", address)
				}
				return dial(ctx, address)
			}
		}},
		{"a server of another mesh", func(t *testing.T, buyer, _ *sidecar.Options) {
			others := newControl(t)
			others.tcp = true
			o := others.options("store", "bookstore", "bookstore-v2")
			others.wait(others.run(o), sidecar.State.Ready)
			dial := buyer.Dial
			buyer.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				if strings.HasPrefix(address, "127.") {
					return others.dial(ctx, "store:15003")
				}
				return dial(ctx, address)
			}
		}},
		{"the peer's admin port", func(_ *testing.T, _, store *sidecar.Options) {
			store.OriginalDestination = func(net.Conn) (netip.AddrPort, bool) { return netip.MustParseAddrPort("127.0.0.1:15000"), true }
		}},
		{"a port that is open on loopback only", func(_ *testing.T, _, store *sidecar.Options) {
			application := store.OriginalDestination
			store.OriginalDestination = func(conn net.Conn) (netip.AddrPort, bool) {
				asked, is := application(conn)
				return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), asked.Port()), is // which stands for the pod's address
			}
		}},
		{"a port that no one listens on", func(t *testing.T, _, store *sidecar.Options) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			free := l.Addr().(*net.TCPAddr).AddrPort()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			store.OriginalDestination = func(net.Conn) (netip.AddrPort, bool) { return free, true }
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := newPods(t, serveTCP(t, "127.0.0.1:0", reached), func(buyer, store *sidecar.Options) { tc.change(t, buyer, store) })
			wantReset(t, func() (net.Conn, error) { return p.dial(t.Context(), "buyer:15001") })
		})
	}
}

func TestAnUncertifiedSidecarCarriesNothing(t *testing.T) {
	c := newControl(t)
	c.tcp = true
	o := c.options("buyer", "bookbuyer", "bookbuyer")
	c.mount([]byte("not PEM"))
	intercept(&o, netip.MustParseAddrPort("127.0.0.1:1"))
	o.Dial = func(context.Context, string) (net.Conn, error) {
		t.Error("dialed")
		return nil, errRefused
	}
	c.run(o)
	wantReset(t, func() (net.Conn, error) { return c.dialSoon(t.Context(), "buyer:15001") })
}

// wantReset takes the reset as early as in dial.
func wantReset(t *testing.T, dial func() (net.Conn, error)) {
	t.Helper()
	conn, err := dial()
	if err == nil {
		defer conn.Close() // it is at its end
		if err = conn.SetReadDeadline(time.Now().Add(time.Minute)); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

func TestHTTPToAnApplicationThatSpeaksFirstIsRefused(t *testing.T) {
	heard := make(chan string, 1)
	p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
		if _, err := io.WriteString(conn, "x"); err != nil {
			return err
		}
		all, _ := io.ReadAll(conn) // which is broken off
		heard <- string(all)
		return nil
	}))
	conn := p.call()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"+peerHeader+": "+forged+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("answered")
	}
	if got := <-heard; got != "" {
		t.Errorf("the application is told %q", got)
	}
}

func TestEveryConnectionHasTheCertificateOfItsTime(t *testing.T) {
	p := newPods(t, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {}))
	for range 2 {
		client := p.client(http1())
		response, err := client.Get("http://store/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() // it is empty
		rotated, err := p.manager.RotateCertificate(t.Context(), identityOf(t, "bookbuyer", "bookbuyer"))
		if err != nil {
			t.Fatal(err)
		}
		p.wait(p.buyer, func(s sidecar.State) bool { return s.Leaf().Equal(rotated.Leaf()) })
	}
}

// TestAConnectionThatIsCutOffDoesNotEndProperly has the connection between the
// sidecars end without the word of TLS for that.
func TestAConnectionThatIsCutOffDoesNotEndProperly(t *testing.T) {
	isCut := make(chan struct{})
	p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
		_, err := io.Copy(conn, conn)
		if errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		return err
	}), func(buyer, _ *sidecar.Options) {
		dial := buyer.Dial
		buyer.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			if strings.HasPrefix(address, "127.0.0.1") {
				conn = cutOff{conn, isCut}
			}
			return conn, err
		}
	})
	conn, answer := p.call(), make([]byte, 2)
	if _, err := io.WriteString(conn, "\x00a"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	close(isCut)
	if _, err := io.WriteString(conn, "\x00b"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(answer); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("%q, %v, want a reset", answer, err)
	}
}

// cutOff is a connection that is over with what is read next.
type cutOff struct {
	net.Conn
	isCut <-chan struct{}
}

func (c cutOff) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.isCut:
		return 0, io.EOF
	default:
		return n, err
	}
}
