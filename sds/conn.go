package sds

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"
)

// conn is a connection that the door counts until it is closed.
type conn struct {
	net.Conn
	door     *door
	host     netip.Addr
	openings *rate.Limiter // of streams

	// The door's lock guards these.
	inDoor, inHost *list.Element // where it is among strangers
	timer          *time.Timer   // ends it as a stranger
	known          bool
	closed         bool
	hooks          []func() // called when it is closed
}

var errClosed = refuse(ReasonUnavailable, "the connection was closed meanwhile; connect again")

// Write gives the other end a while to take the bytes.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.door.mu.Lock()
	c.door.leave(c)
	hooks := c.hooks
	c.closed, c.hooks = true, nil
	c.door.mu.Unlock()
	for _, hook := range hooks {
		hook()
	}
	return c.Conn.Close()
}

// onClose has the hook called when the connection is closed, unless it is.
func (c *conn) onClose(hook func()) bool {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	if c.closed {
		return false
	}
	c.hooks = append(c.hooks, hook)
	return true
}

// end closes the connection for the reason.
func (c *conn) end(reason Reason, message string) {
	c.door.refused(reason, c.RemoteAddr(), message)
	_ = c.Close() // its streams learn of it
}

// displace closes the connection because its pod has a newer one.
func (c *conn) displace() {
	c.end(ReasonConnections, "a newer connection of its pod displaced this one")
}

// counted is TLS on a conn of a door. It tells streams which conn is theirs.
type counted struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (t counted) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := t.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	c := raw.(*conn)
	return newFrames(secured), countedInfo{info, c}, nil
}

// Clone implements credentials.TransportCredentials.
func (t counted) Clone() credentials.TransportCredentials {
	return counted{t.TransportCredentials.Clone()}
}

type countedInfo struct {
	credentials.AuthInfo
	conn *conn
}

// connOf returns the connection of a stream.
func connOf(ctx context.Context) *conn {
	p, _ := peer.FromContext(ctx) // every stream of a server has one
	return p.AuthInfo.(countedInfo).conn
}

// opening is asked before anything is made for a stream. It closes a connection
// that opens streams too fast: to refuse them costs as much as they do.
func (d *door) opening(ctx context.Context, _ *tap.Info) (context.Context, error) {
	c := connOf(ctx)
	if c.openings.Allow() {
		return ctx, nil
	}
	refusal := refuse(ReasonStreams, "the connection opens streams too fast")
	c.end(refusal.Reason, refusal.Message)
	return nil, refusal.GRPCStatus().Err()
}
