package sidecar

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// connections are those with verified peers that are open.
type connections struct {
	mu   sync.Mutex
	open map[*tracked]*tls.Conn
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
	if c.open == nil {
		c.open = map[*tracked]*tls.Conn{}
	}
	c.open[raw] = conn
}

func (c *connections) remove(raw *tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, raw)
}

// endUnless ends the connections whose peers do not lead to these roots, and
// counts them.
func (c *connections) endUnless(bundle issuer.TrustBundle) (ended int) {
	c.mu.Lock()
	var strangers []*tracked
	pool := bundle.Pool()
	for raw, conn := range c.open {
		if !leadsTo(conn.ConnectionState().PeerCertificates, pool) {
			strangers = append(strangers, raw)
		}
	}
	c.mu.Unlock()
	for _, raw := range strangers {
		_ = raw.Close() // who reads or writes is told
	}
	return len(strangers)
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
