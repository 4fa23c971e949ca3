package relay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/cluster/relay"
)

func TestBytesGoBothWaysAndEachWayEndsAlone(t *testing.T) {
	socket := serve(t)
	outside := listen(t, "tcp", "127.0.0.1:0")
	run(t, func(ctx context.Context) error { return relay.Forward(ctx, outside, socket, reverser(t)) })
	conn, err := net.Dial("tcp", outside.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "one\ntwo"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "owt\neno" {
		t.Errorf("got %q and %v, want the bytes reversed", got, err)
	}
}

func TestDialSaysWhyTheInsideRefuses(t *testing.T) {
	socket := serve(t)
	gone := listen(t, "tcp", "127.0.0.1:0")
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		gone.Addr().String(): "connection refused",
		"nonsense":           "missing port",
		"two words:80":       "Bad Request",
	} {
		if conn, err := relay.Dial(t.Context(), socket, address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dial %.20s: got %v and %v, want an error that says %q", address, conn, err, want)
		}
	}
}

func TestTheEndOfServeEndsItsConnections(t *testing.T) {
	listener := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- relay.ServeConnect(ctx, listener, dial) }()
	conn, err := relay.Dial(t.Context(), listener.Addr().String(), reverser(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes of a connection that should have ended", n)
	}
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// serve runs the inside and returns its socket.
func serve(t *testing.T) string {
	t.Helper()
	listener := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	run(t, func(ctx context.Context) error { return relay.ServeConnect(ctx, listener, dial) })
	return listener.Addr().String()
}

// reverser is a TCP server that answers, after the end of what it is sent, with the same in reverse.
func reverser(t *testing.T) string {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	run(t, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { listener.Close() })()
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			sent, err := io.ReadAll(conn)
			if err != nil {
				continue
			}
			for i, j := 0, len(sent)-1; i < j; i, j = i+1, j-1 {
				sent[i], sent[j] = sent[j], sent[i]
			}
			if _, err := conn.Write(sent); err != nil {
				return err
			}
			if err := conn.Close(); err != nil {
				return err
			}
		}
	})
	return listener.Addr().String()
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// run ends f with the test.
func run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
