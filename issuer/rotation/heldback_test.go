package rotation_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// sharp is a CA whose certificates begin when they are issued, as cert-manager's do.
type sharp struct {
	*tresor.CA
	key crypto.Signer
}

func newSharp(t *testing.T) sharp {
	t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	c, err := tresor.New(root, key)
	if err != nil {
		t.Fatal(err)
	}
	return sharp{c, key}
}

// Issue implements issuer.Issuer.
func (s sharp) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	chain, err := s.CA.Issue(ctx, req, ttl)
	if err != nil {
		return nil, err
	}
	template := *chain[0]
	template.NotBefore = time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &template, s.Root(), req.PublicKey(), s.key)
	if err != nil {
		return nil, err
	}
	chain[0], err = x509.ParseCertificate(der)
	return chain, err
}

// A certificate that is held back ends when it would have ended anyway. So the
// time that a root stays trusted is enough, however soon the next one replaces it.
func TestWhateverIsHeldBackEveryClockAcceptsWhatIsServed(t *testing.T) {
	const lifetime, skew = time.Hour, issuer.ClockSkew
	for _, pause := range []time.Duration{3 * time.Minute, 7 * time.Minute, 2 * time.Hour} {
		t.Run(fmt.Sprintf("roots are replaced every %s", pause), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := issuer.NewManager(issuer.Options{TTL: lifetime, ClockSkew: skew, Logger: slog.New(slog.DiscardHandler)})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go m.Run(ctx)
				id, err := identity.New("cluster.local", "shop", "web")
				if err != nil {
					t.Fatal(err)
				}
				defer m.Subscribe(id).Close()

				var state rotation.State
				var first *issuer.Certificate
				served, made := map[*issuer.Certificate]bool{}, 0
				for start := time.Now(); time.Since(start) < 6*time.Hour; {
					root := newSharp(t)
					made++
					bundle := trustbundle.New(root.Root())
					wanted := rotation.Wanted{Signer: bundle, Trusted: map[string]trustbundle.TrustBundle{"root": bundle}}
					for range pause / (10 * time.Second) {
						state = state.Next(wanted, rotation.Situation{Now: time.Now(), Acknowledged: true, AckTimeout: time.Hour, RetirementPeriod: lifetime + skew})
						var signer issuer.Signer
						if state.MaySign(bundle, time.Now().Add(lifetime)) {
							signer = issuer.Signer{Name: "root", Issuer: root, Roots: bundle}
						}
						if err := m.SetTrust(state.Bundle(), signer); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
						cert, ok := m.GetCertificate(id)
						if !ok {
							continue // the first root may not sign yet
						}
						if first == nil {
							first = cert
						}
						served[cert] = true
						for _, off := range []time.Duration{-skew, 0, skew} {
							options := x509.VerifyOptions{Roots: state.Bundle().Pool(), CurrentTime: time.Now().Add(off)}
							if _, err := cert.Leaf().Verify(options); err != nil && (cert != first || off >= 0) {
								t.Fatalf("by a clock that is off by %s: %v", off, err)
							}
						}
						time.Sleep(10 * time.Second)
					}
				}
				if dropped := made - len(state.Bundle().Roots()); dropped < 2 || len(served) < 6 {
					t.Errorf("%d certificates were served, and %d roots dropped", len(served), dropped)
				}
			})
		})
	}
}
