package sds_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/issuertest"
)

// sealable is an issuer that can be away.
type sealable struct {
	issuer.Issuer
	sealed atomic.Bool
}

func (s *sealable) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if s.sealed.Load() {
		return nil, errors.New("sealed")
	}
	return s.Issuer.Issue(ctx, req, ttl)
}

func TestAProxyThatComesWhileTheIssuerIsAwayGetsItsCertificateOnTheSameStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(64 << 10)
		m := &mesh{t: t, cluster: newCluster(t), listener: listener}
		m.dial = func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
		m.start(m.cluster.attestor(), issuer.Options{})
		away := &sealable{Issuer: m.signing}
		away.sealed.Store(true)
		issuertest.Trust(t, m.manager, "active", away)

		const outage = 30 * time.Minute
		end := time.Now().Add(outage)
		time.AfterFunc(outage, func() { away.sealed.Store(false) })
		stream := ask(t, presenting(t.Context(), m.bookstore()), m.client(), names(ownCert, ownRoots))
		pushed, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if late := time.Since(end); late < 0 || late > time.Minute {
			t.Errorf("the certificate came %s after the outage's end", late)
		}
		if left := time.Until(leaf(t, secrets(t, pushed.GetResources())[ownCert]).NotAfter); left < 23*time.Hour {
			t.Errorf("the certificate has %s left", left)
		}
	})
}
