package bootstrap

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	ownCommonName = "osm-webhooks.openservicemesh.io"

	// proposalTime is how long a replica has to sign what it has proposed a CA
	// for, beside Settle. After that another one does.
	proposalTime = 10 * time.Second
	proposalPoll = 200 * time.Millisecond
)

// serveFromOwnCA sees to it that every webhook has a serving certificate of a
// CA whose key is discarded, or of one of the accepted roots. It takes
// three steps, each of which can be the last of a process that is killed: the
// CA is proposed in the first Secret that can be written to, where one replica
// wins; the API server is told; and what has to be is signed, when the API
// server has had time to hear of the CA where it takes what there is.
func (b *Bootstrap) serveFromOwnCA(ctx context.Context, trusted, accepted trustbundle.TrustBundle) error {
	for {
		servers, err := b.readServers(ctx)
		if err != nil {
			return err
		}
		stale := b.stale(servers, accepted)
		if len(stale) == 0 {
			return b.publish(ctx, trusted, servers)
		}
		first := servers[slices.IndexFunc(servers, (*server).writable)]
		if proposed(first, proposalTime+b.Settle) {
			if err := pause(ctx, proposalPoll); err != nil {
				return err
			}
			continue
		}
		if err := b.signOwn(ctx, trusted, first, servers, stale); err != nil && !mesh.LostRace(err) {
			return err
		}
	}
}

// stale returns the servers whose certificates have to be issued anew, and can
// be.
func (b *Bootstrap) stale(servers []*server, accepted trustbundle.TrustBundle) (stale []*server) {
	now := time.Now()
	for _, s := range servers {
		leaf, err := verifyServing(s.secret, s.ownCAs().Union(accepted), s.host, now)
		switch {
		case err == nil && checkAge(leaf, now) == nil:
		case s.writable():
			stale = append(stale, s)
		default:
			_ = b.passOver(s, s.sealed())
		}
	}
	return stale
}

// proposed tells whether another replica is about to sign, for which it has so
// much time.
func proposed(first *server, atMost time.Duration) bool {
	leaf := first.leaf()
	return slices.ContainsFunc(first.ownCAs().Roots(), func(ca *x509.Certificate) bool {
		made := ca.NotBefore.Add(issuer.ClockSkew)
		return time.Since(made) < atMost && (leaf == nil || leaf.CheckSignatureFrom(ca) != nil)
	})
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signOwn signs for the stale servers by a new CA, and forgets its key.
func (b *Bootstrap) signOwn(ctx context.Context, trusted trustbundle.TrustBundle, first *server, servers, stale []*server) error {
	root, key, err := tresor.NewNamedRoot(ownCommonName)
	if err != nil {
		return err
	}
	ca, err := tresor.New(root, key)
	if err != nil {
		return err
	}
	if err := b.propose(ctx, first, root); err != nil {
		return fmt.Errorf("propose a CA for serving certificates: %w", err)
	}
	if err := b.publish(ctx, trusted, servers); err != nil {
		return err
	}
	urgent := slices.DeleteFunc(slices.Clone(stale), b.accepted)
	if err := b.issueOwn(ctx, ca, urgent); err != nil {
		return err
	}
	rest := slices.DeleteFunc(stale, func(s *server) bool { return slices.Contains(urgent, s) })
	if len(rest) == 0 {
		return nil
	}
	for b.settling() > 0 {
		if err := pause(ctx, b.settling()); err != nil {
			return err
		}
		if err := b.publish(ctx, trusted, servers); err != nil {
			return err
		}
	}
	return b.issueOwn(ctx, ca, rest)
}

func (b *Bootstrap) issueOwn(ctx context.Context, ca *tresor.CA, servers []*server) error {
	for _, s := range servers {
		b.Logger.Info("a serving certificate is issued by a CA of its own", "secret", s.secret.Name)
		if err := b.issueTo(ctx, s, ca, s.signers(time.Now()).Union(trustbundle.New(ca.Root()))); err != nil {
			return fmt.Errorf("serving certificate of %s: %w", s.service, err)
		}
	}
	return nil
}

// propose names the CA in the Secret beside what that has.
func (b *Bootstrap) propose(ctx context.Context, s *server, root *x509.Certificate) error {
	data := map[string][]byte{
		corev1.TLSCertKey:       s.secret.Data[corev1.TLSCertKey],
		corev1.TLSPrivateKeyKey: s.secret.Data[corev1.TLSPrivateKeyKey],
		authorityKey:            s.signers(time.Now()).Union(trustbundle.New(root)).PEM(),
	}
	return b.write(ctx, s, data)
}
