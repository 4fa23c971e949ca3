package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// accept carries each connection of l to the one that dial opens for it.
func accept(ctx context.Context, l net.Listener, dial func(context.Context, net.Conn) (net.Conn, error)) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { closed <- l.Close() })
	for {
		from, err := l.Accept()
		if err != nil && !stop() {
			return <-closed
		}
		if err != nil {
			return errors.Join(err, l.Close())
		}
		connections.Go(func() { carry(ctx, from, dial) })
	}
}

// carry owns from. Errors of either side end both, which is all that a peer of a TCP connection can be told.
func carry(ctx context.Context, from net.Conn, dial func(context.Context, net.Conn) (net.Conn, error)) {
	defer from.Close()
	defer context.AfterFunc(ctx, func() { from.Close() })()
	to, err := dial(ctx, from)
	if err != nil {
		return
	}
	defer to.Close()
	defer context.AfterFunc(ctx, func() { to.Close() })()
	var back sync.WaitGroup
	back.Go(func() { pump(from, to) })
	pump(to, from)
	back.Wait()
}

// pump copies until the source has no more, and hands that end on (RFC 9293, section 3.6: connections close by halves).
func pump(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		to.Close()
	}
}
