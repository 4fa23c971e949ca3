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

// ServeConnect is an HTTP CONNECT proxy (RFC 9110, section 9.3.6) that connects each client of l with what dial returns
// for the address they ask for, and answers 503 when it returns an error. It returns when ctx ends, after all connections are closed.
func ServeConnect(ctx context.Context, l net.Listener, dial func(ctx context.Context, address string) (net.Conn, error)) error {
	return accept(ctx, l, func(ctx context.Context, from net.Conn) (net.Conn, error) {
		return answerConnect(ctx, from, dial)
	})
}

func answerConnect(ctx context.Context, from net.Conn, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	if err := from.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(from)
	request, err := http.ReadRequest(reader)
	if err != nil {
		return nil, refuse(from, http.StatusBadRequest, err)
	}
	if request.Method != http.MethodConnect || reader.Buffered() > 0 {
		return nil, refuse(from, http.StatusMethodNotAllowed, errors.New("not a CONNECT whose sender waits for the answer"))
	}
	dialCtx, cancel := context.WithTimeout(ctx, handshakeTimeout/2)
	defer cancel()
	to, err := dial(dialCtx, request.URL.Host)
	if err != nil {
		return nil, refuse(from, http.StatusServiceUnavailable, err)
	}
	_, err = fmt.Fprint(from, "HTTP/1.1 200 Connected\r\n\r\n")
	if err = errors.Join(err, from.SetDeadline(time.Time{})); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}

// refuse tells the client in the status line, which is what the API server's errors quote.
func refuse(from net.Conn, status int, why error) error {
	_, err := fmt.Fprintf(from, "HTTP/1.1 %d %s: %q\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status), why)
	return errors.Join(why, err)
}
