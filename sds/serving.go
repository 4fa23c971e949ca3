package sds

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// ServingCertificate is the certificate of the server itself: that of the
// control plane's own identity, replaced while connections are served.
type ServingCertificate struct {
	source  Source
	id      issuer.Identity
	current atomic.Pointer[servable]
}

type servable struct {
	certificate *tls.Certificate
	notAfter    time.Time
}

// NewServingCertificate returns the certificate of the identity. It is there
// once Run runs and the source has announced it.
func NewServingCertificate(source Source, id issuer.Identity) *ServingCertificate {
	return &ServingCertificate{source: source, id: id}
}

// Run follows the source until ctx ends.
func (c *ServingCertificate) Run(ctx context.Context) error {
	subscription := c.source.Subscribe(c.id)
	defer subscription.Close()
	for {
		select {
		case update := <-subscription.Updates():
			c.current.Store(&servable{update.Certificate.TLS(), update.Certificate.NotAfter()})
			subscription.Ack(update.Version)
		case <-ctx.Done():
			return nil
		}
	}
}

// GetCertificate is for a tls.Config. It fails while there is no certificate
// that is valid.
func (c *ServingCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	current := c.current.Load()
	if current == nil {
		return nil, errors.New("the SDS server has no certificate yet")
	}
	if !time.Now().Before(current.notAfter) {
		return nil, errors.New("the SDS server's certificate expired")
	}
	return current.certificate, nil
}
