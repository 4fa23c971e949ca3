// Package relay carries TCP connections into a network namespace that has no interface or route to the outside. Its way in
// is a Unix socket, because the file system, unlike the network, is shared. It knows nothing of what it carries.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// handshakeTimeout bounds how long a connection may take until it carries bytes.
const handshakeTimeout = 20 * time.Second

// Serve runs inside: it connects whoever comes to the Unix socket with the TCP address that its first line names, and
// answers with a line that is empty or says why not. It returns when ctx ends, after all connections are closed.
func Serve(ctx context.Context, l net.Listener) error {
	return accept(ctx, l, answer)
}

func answer(ctx context.Context, from net.Conn) (net.Conn, error) {
	if err := from.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}
	address, err := readLine(from)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: handshakeTimeout / 2}
	to, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		_, tellErr := fmt.Fprintln(from, strings.ReplaceAll(err.Error(), "\n", " "))
		return nil, errors.Join(err, tellErr)
	}
	if _, err := fmt.Fprintln(from); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, from.SetDeadline(time.Time{})
}

// Dial connects to a TCP address inside, through the socket that Serve listens on.
func Dial(ctx context.Context, socket, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: handshakeTimeout}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	if err := ask(conn, address); err != nil {
		return nil, errors.Join(fmt.Errorf("dial %s: %w", address, err), conn.Close())
	}
	return conn, nil
}

func ask(conn net.Conn, address string) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(conn, address); err != nil {
		return err
	}
	refusal, err := readLine(conn)
	if err != nil {
		return err
	}
	if refusal != "" {
		return errors.New(refusal)
	}
	return conn.SetDeadline(time.Time{})
}

// Forward runs outside: it connects whoever comes to l with one address inside, and closes the connection at once when that
// fails. It returns when ctx ends, after all connections are closed.
func Forward(ctx context.Context, l net.Listener, socket, address string) error {
	return accept(ctx, l, func(ctx context.Context, _ net.Conn) (net.Conn, error) {
		return Dial(ctx, socket, address)
	})
}

// readLine takes no byte beyond the line, for those belong to the protocol that is carried.
func readLine(r io.Reader) (string, error) {
	var line strings.Builder
	b := make([]byte, 1)
	for line.Len() < 1024 {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", fmt.Errorf("read line: %w", err)
		}
		if b[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(b[0])
	}
	return "", errors.New("read line: longer than 1024 bytes")
}
