package sds_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/osm-edge/osm/issuer"
)

// TestACertificateIsRenewedBeforeItEnds lives through three days of a proxy on
// one stream after another: connections end every hour, certificates are
// renewed between a half and two thirds of their life.
func TestACertificateIsRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := bufconn.Listen(64 << 10)
		m := &mesh{t: t, cluster: newCluster(t), listener: listener}
		m.dial = func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
		m.start(m.cluster.attestor(), issuer.Options{})
		p := m.cluster.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))

		const days = 3
		end := time.Now().Add(days * 24 * time.Hour)
		var version string
		var issued, until time.Time
		renewals, streams := 0, 0
		client := m.client()
		for time.Now().Before(end) {
			streams++
			r := names(ownCert, ownRoots)
			r.VersionInfo = version
			stream := ask(t, presenting(t.Context(), m.cluster.token(p)), client, r)
			for {
				pushed, err := stream.Recv()
				if err != nil {
					break
				}
				now := time.Now()
				if renewals++; renewals > 1 {
					life := until.Sub(issued)
					if used := now.Sub(issued); used < life/2-time.Minute || used > life*2/3+time.Minute {
						t.Errorf("renewed after %s of %s", used, life)
					}
				}
				issued, until = now, leaf(t, secrets(t, pushed.GetResources())[ownCert]).NotAfter
				version = pushed.GetVersionInfo()
				send(t, stream, accepting(pushed, ownCert, ownRoots))
			}
			if !time.Now().Before(until) {
				t.Fatal("the certificate ended before another came")
			}
		}
		if renewals < days || renewals > 2*days {
			t.Errorf("%d certificates in %d days", renewals, days)
		}
		if streams < days*20 || streams > days*30 {
			t.Errorf("%d streams in %d days, want about one an hour", streams, days)
		}
	})
}
