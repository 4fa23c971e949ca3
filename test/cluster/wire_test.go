package cluster

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestWhatIsSaidWhileAWireIsCutArrivesWhenItIsFixed(t *testing.T) {
	conn, heard := wiredTo(t)
	say := func(conn net.Conn, word string) {
		t.Helper()
		if _, err := io.WriteString(conn, word); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(conn net.Conn, want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Fatalf("heard %q, %v, want %q", got, err, want)
		}
	}
	say(conn.near, "one")
	far := <-heard
	hear(far, "one")

	fix := conn.wire.cut()
	say(conn.near, "two")
	say(far, "three")
	for _, end := range []net.Conn{conn.near, far} {
		if err := end.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := end.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		if err := end.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	fix()
	hear(far, "two")
	hear(conn.near, "three")
}

func TestAWireThatIsCutCanBeClosed(t *testing.T) {
	conn, heard := wiredTo(t)
	if _, err := io.WriteString(conn.near, "one"); err != nil {
		t.Fatal(err)
	}
	<-heard
	conn.wire.cut()
	conn.wire.close()
	if _, err := conn.near.Read(make([]byte, 1)); err == nil {
		t.Error("there is something to read")
	}
}

type end struct {
	wire *wire
	near net.Conn
}

// wiredTo connects by wire with a listener, and hands over what that accepts.
func wiredTo(t *testing.T) (end, <-chan net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan net.Conn, 1)
	go func() {
		if conn, err := listener.Accept(); err == nil {
			heard <- conn
		}
	}()
	w, err := newWire(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.close()
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	near, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	return end{w, near}, heard
}
