// Package relay carries TCP connections to where they can't go by themselves: into a network namespace that has no
// interface or route to the outside, or from one server to where another thinks best. Its ways in are Unix sockets,
// because the file system, unlike the network, is shared. It knows nothing of what it carries.
package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// handshakeTimeout bounds how long a connection may take until it carries bytes.
const handshakeTimeout = 20 * time.Second

// Dial connects to a TCP address through the Unix socket that ServeConnect listens on.
func Dial(ctx context.Context, socket, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: handshakeTimeout}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	if err := askToConnect(conn, address); err != nil {
		return nil, errors.Join(fmt.Errorf("dial %s: %w", address, err), conn.Close())
	}
	return conn, nil
}

func askToConnect(conn net.Conn, address string) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(byByte{conn}), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return conn.SetDeadline(time.Time{})
}

// byByte reads no byte ahead, for those after the answer belong to the protocol that is carried.
type byByte struct{ net.Conn }

func (r byByte) Read(p []byte) (int, error) { return r.Conn.Read(p[:min(1, len(p))]) }

// Forward connects each client of l with one address behind the socket, and closes the connection at once when that
// fails. It returns when ctx ends, after all connections are closed.
func Forward(ctx context.Context, l net.Listener, socket, address string) error {
	return Serve(ctx, l, func(ctx context.Context) (net.Conn, error) { return Dial(ctx, socket, address) })
}

// Serve connects each client of l with what dial returns, and closes the connection at once when that fails. It returns
// when ctx ends, after all connections are closed.
func Serve(ctx context.Context, l net.Listener, dial func(context.Context) (net.Conn, error)) error {
	return accept(ctx, l, func(ctx context.Context, _ net.Conn) (net.Conn, error) { return dial(ctx) })
}
