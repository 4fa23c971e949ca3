package bootstrap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/mesh"
)

// servingValidity is the lifetime of a webhook's serving certificate: ten
// years, though never longer than its CA's.
const servingValidity = 87600 * time.Hour

// serveFromRoot sees to it that every webhook has a serving certificate of the
// mesh's root. The API server has to trust the root before any server uses it,
// so that one with a certificate that it takes waits until it surely does:
// again tells for how long.
func (b *Bootstrap) serveFromRoot(ctx context.Context, ca *tresor.CA, trusted trustbundle.TrustBundle) (again time.Duration, err error) {
	servers, err := b.readServers(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.publish(ctx, trusted.Union(trustbundle.New(ca.Root())), servers); err != nil {
		return 0, err
	}
	settling := b.settling()
	for _, s := range servers {
		waits := false
		err := retry.OnError(retry.DefaultBackoff, mesh.LostRace, func() (err error) {
			waits, err = b.serveOne(ctx, ca, s.service, settling > 0)
			return err
		})
		if err := b.passOver(s, err); err != nil {
			return 0, err
		}
		if waits {
			again = settling
		}
	}
	return again, nil
}

// serveOne tells whether the server has to wait for another certificate, which
// it can while the API server accepts the one that it has.
func (b *Bootstrap) serveOne(ctx context.Context, ca *tresor.CA, service string, settling bool) (waits bool, err error) {
	s, err := b.readServer(ctx, service)
	if err != nil {
		return false, err
	}
	if !s.missing {
		reason := checkServing(s.secret, ca.Root(), s.host, time.Now())
		if reason == nil {
			return false, nil
		}
		if settling && b.accepted(s) {
			return true, nil
		}
		b.logAnew(s, reason)
	}
	return false, b.issueTo(ctx, s, ca, s.signers(time.Now()).Union(trustbundle.New(ca.Root())))
}

func (b *Bootstrap) logAnew(s *server, reason error) {
	b.Logger.Info("a serving certificate is issued anew", "secret", s.secret.Name, "reason", reason)
}

// issueTo gives a server a certificate of the CA. The authorities are those
// that its Secret is to name: see server.
func (b *Bootstrap) issueTo(ctx context.Context, s *server, ca *tresor.CA, authorities trustbundle.TrustBundle) error {
	data, err := issueServing(ctx, ca, s.host)
	if err != nil {
		return err
	}
	if !authorities.IsEmpty() {
		data[authorityKey] = authorities.PEM()
	}
	return b.write(ctx, s, data)
}

// write fails if the Secret has changed since it was read, and if it
// is immutable.
func (b *Bootstrap) write(ctx context.Context, s *server, data map[string][]byte) error {
	if !s.writable() {
		return s.sealed()
	}
	secret := s.secret.DeepCopy()
	secret.Data = data
	var err error
	if s.missing {
		secret, err = b.Secrets.Create(ctx, secret, metav1.CreateOptions{})
	} else {
		secret, err = b.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
	}
	if err != nil {
		return err
	}
	s.secret, s.missing = secret, false
	return nil
}

func issueServing(ctx context.Context, ca *tresor.CA, host string) (map[string][]byte, error) {
	req, err := issuer.NewServingRequest(issuer.DefaultKeyAlgorithm, host)
	if err != nil {
		return nil, err
	}
	chain, err := ca.Issue(ctx, req, servingValidity)
	if err != nil {
		return nil, err
	}
	cert, err := req.Certificate(chain)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{corev1.TLSCertKey: cert.ChainPEM(), corev1.TLSPrivateKeyKey: cert.KeyPEM()}, nil
}

// checkServing returns why the Secret's certificate has to be replaced by one
// of the root, or nil.
func checkServing(secret *corev1.Secret, root *x509.Certificate, host string, now time.Time) error {
	leaf, err := verifyServing(secret, trustbundle.New(root), host, now)
	if err != nil {
		return err
	}
	if !leaf.NotAfter.Before(root.NotAfter) {
		return nil // one that ends with the root cannot be made to last longer
	}
	return checkAge(leaf, now)
}

func verifyServing(secret *corev1.Secret, roots trustbundle.TrustBundle, host string, now time.Time) (*x509.Certificate, error) {
	pair, err := trustbundle.ParseKeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, errors.New("it is not a certificate and its key")
	}
	options := x509.VerifyOptions{DNSName: host, Roots: roots.Pool(), CurrentTime: now}
	if _, err := pair.Leaf.Verify(options); err != nil {
		return nil, fmt.Errorf("it does not verify with the root: %w", err)
	}
	return pair.Leaf, nil
}

func checkAge(leaf *x509.Certificate, now time.Time) error {
	if leaf.NotAfter.Sub(now) < leaf.NotAfter.Sub(leaf.NotBefore)/3 {
		return fmt.Errorf("less than a third of its life is left, it ends at %s", leaf.NotAfter.UTC())
	}
	return nil
}
