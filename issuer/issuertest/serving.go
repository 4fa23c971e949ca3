package issuertest

import (
	"context"
	"crypto/tls"
	"sync/atomic"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
)

// Serving is for a tls.Config: the certificate of the identity or, while none can
// be issued, the last that was.
func Serving(m *issuer.Manager, id identity.Identity) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var last atomic.Pointer[tls.Certificate]
	serve := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := m.IssueCertificate(context.Background(), id)
		switch {
		case err == nil:
			last.Store(certificate.TLS())
		case last.Load() == nil:
			return nil, err
		}
		return last.Load(), nil
	}
	_, _ = serve(nil) // while it can
	return serve
}
