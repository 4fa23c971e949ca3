package sidecar

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// connections are those with verified peers that are open.
type connections struct {
	mu   sync.Mutex
	open map[*tracked]*tls.Conn
	// own is when the sidecar's last certificate of a root ends, by the root's DER.
	own map[string]time.Time
	// retired are roots that left the bundle when the sidecar's last certificate
	// of them had ended, as all of theirs had: they were replaced. One whose key
	// has leaked leaves sooner.
	retired *x509.CertPool
}

func newConnections() *connections {
	return &connections{open: map[*tracked]*tls.Conn{}, own: map[string]time.Time{}, retired: x509.NewCertPool()}
}

// tracked is what TLS with a peer runs over.
type tracked struct {
	net.Conn
	of *connections
}

// errTruncated is what crypto/tls passes over, because servers on the web do
// that (RFC 8446, section 6.1). A peer that gave up a handshake, which was done
// here, looks so: the application must not take it for the end of an answer.
var errTruncated = errors.New("the peer's connection ended without close_notify")

// Read implements net.Conn.
func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if err == io.EOF {
		err = errTruncated
	}
	return n, err
}

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.of.remove(t)
	return t.Conn.Close()
}

func (c *connections) track(raw net.Conn) *tracked { return &tracked{raw, c} }

// add keeps a connection until it is closed.
func (c *connections) add(raw *tracked, conn *tls.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[raw] = conn
}

func (c *connections) remove(raw *tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, raw)
}

// follow ends the connections of roots that have left the bundle, and counts
// them. It spares those that were over in time: see retired.
func (c *connections) follow(former trustbundle.TrustBundle, state State) int {
	c.mu.Lock()
	strangers := c.strangers(former, state)
	c.mu.Unlock()
	for _, raw := range strangers {
		_ = raw.Close() // who reads or writes is told
	}
	return len(strangers)
}

func (c *connections) strangers(former trustbundle.TrustBundle, state State) (strangers []*tracked) {
	now, trusted := time.Now(), state.bundle
	for _, root := range trusted.Roots() {
		if chain := state.chain(); len(chain) > 0 && leadsTo(chain, poolOf(root)) {
			c.own[string(root.Raw)] = chain[0].NotAfter
		}
	}
	if trusted.Union(former).Equal(trusted) {
		return nil
	}
	for _, root := range former.Roots() {
		end, ok := c.own[string(root.Raw)]
		if ok && end.Before(now) && !trusted.Contains(root) {
			c.retired.AddCert(root)
		}
	}
	pool := trusted.Pool()
	for raw, conn := range c.open {
		chain := conn.ConnectionState().PeerCertificates
		isOver := chain[0].NotAfter.Before(now)
		if !leadsTo(chain, pool) && !(isOver && leadsTo(chain, c.retired)) {
			strangers = append(strangers, raw)
		}
	}
	return strangers
}

func poolOf(root *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool
}

// leadsTo reports whether a certificate is of one of the roots. That it has
// ended since its connection began changes nothing of that.
func leadsTo(chain []*x509.Certificate, roots *x509.CertPool) bool {
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	at := time.Now()
	if end := chain[0].NotAfter; end.Before(at) {
		at = end
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}
