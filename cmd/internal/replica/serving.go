package replica

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	// ServingSecret is the Secret of the certificate that every replica serves
	// SDS with. It outlives the root's Secret and every process, so that a mesh
	// whose root was deleted still has a server that its proxies know.
	ServingSecret = "osm-controller-tls"

	// mountDelay is how long proxies may take that know the trusted roots from
	// a mounted ConfigMap alone: the kubelet takes up to two minutes.
	mountDelay = 3 * time.Minute

	servingRetry = 5 * time.Second
	servingCheck = time.Minute
)

// Serving keeps the certificate that every replica serves SDS with. All exported
// fields but ClockSkew are required.
type Serving struct {
	Secrets   corev1client.SecretsGetter
	Namespace string
	// Labels are given to the Secret.
	Labels  map[string]string
	Manager *issuer.Manager
	// Self is who osm-controller is in the mesh.
	Self identity.Identity
	// State returns what is recorded of the roots, and whether that is known.
	State func() (rotation.State, bool)
	// ClockSkew is how far clocks of the mesh may be apart: a certificate that
	// replaces a valid one is held back for that long from its NotBefore.
	ClockSkew time.Duration
	Logger    *slog.Logger

	// heldBack is the certificate that is to be served next, if there is one.
	heldBack *issuer.Certificate
	look     chan struct{} // one slot
}

// NewServing returns s, ready to run.
func NewServing(s Serving) *Serving {
	s.look = make(chan struct{}, 1)
	return &s
}

// Look has the certificate looked at: what it depends on has changed.
func (s *Serving) Look() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// Run keeps the certificate until ctx ends. One replica at a time may run it.
func (s *Serving) Run(ctx context.Context) {
	s.heldBack = nil // another replica may have led since
	for ctx.Err() == nil {
		next, err := s.serve(ctx)
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("cannot renew the serving certificate of SDS; will try again", "error", err)
			next = servingRetry
		}
		timer := time.NewTimer(next)
		select {
		case <-s.look:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// serve writes another certificate if that is due, and returns when to look
// again.
func (s *Serving) serve(ctx context.Context) (time.Duration, error) {
	state, known := s.State()
	if !known {
		return servingCheck, nil
	}
	client := s.Secrets.Secrets(s.Namespace)
	secret, err := client.Get(ctx, ServingSecret, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return 0, err
	}
	if !missing && secret.Type != corev1.SecretTypeTLS {
		return 0, fmt.Errorf("secret %s/%s is of type %s, not %s, which cannot be changed; to fix it, delete it", s.Namespace, ServingSecret, secret.Type, corev1.SecretTypeTLS)
	}
	var former time.Time // when the present one ends
	reason := errors.New("there is none")
	if !missing {
		var left time.Duration
		if left, former, reason = due(secret, state, s.Self, time.Now()); left > 0 {
			return min(left, servingCheck), nil
		}
	}
	next, root, err := s.next(ctx, state, reason)
	if err != nil {
		return 0, err
	}
	if left := time.Until(next.ServeAt(root, former, s.ClockSkew)); left > 0 {
		return min(left, servingCheck), nil
	}
	s.heldBack = nil
	return servingCheck, s.write(ctx, secret, missing, next)
}

// next returns the certificate that is to be served next, and its root: the
// one that is held back, or a new one.
func (s *Serving) next(ctx context.Context, state rotation.State, reason error) (*issuer.Certificate, *x509.Certificate, error) {
	if next := s.heldBack; next != nil {
		if root, err := verifyIssued(next, state.Bundle()); err == nil {
			return next, root, nil
		}
	}
	s.Logger.Info("the serving certificate of SDS is issued anew", "reason", reason)
	next, err := s.Manager.RotateCertificate(ctx, s.Self)
	if err != nil {
		return nil, nil, err
	}
	root, err := verifyIssued(next, state.Bundle())
	if err != nil {
		return nil, nil, fmt.Errorf("it is of a root that is not trusted throughout the mesh: %w", err)
	}
	s.heldBack = next
	return next, root, nil
}

func (s *Serving) write(ctx context.Context, secret *corev1.Secret, missing bool, certificate *issuer.Certificate) error {
	client := s.Secrets.Secrets(s.Namespace)
	data := map[string][]byte{corev1.TLSCertKey: certificate.ChainPEM(), corev1.TLSPrivateKeyKey: certificate.KeyPEM()}
	if missing {
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: ServingSecret, Labels: s.Labels}, Type: corev1.SecretTypeTLS, Data: data}
		_, err := client.Create(ctx, secret, metav1.CreateOptions{})
		return err
	}
	if secret.Immutable != nil && *secret.Immutable {
		return fmt.Errorf("secret %s/%s is immutable, and needs another certificate; to fix it, delete it", s.Namespace, ServingSecret)
	}
	secret = secret.DeepCopy()
	secret.Data = data
	_, err := client.Update(ctx, secret, metav1.UpdateOptions{})
	return err
}

// due returns for how long the Secret's certificate is right, or why it is not, and
// when it ends, if it is valid. One of a root that signs no more is replaced when proxies have had time to
// learn of the new one, and before that only if it is about to end.
func due(secret *corev1.Secret, state rotation.State, self identity.Identity, now time.Time) (left time.Duration, end time.Time, reason error) {
	pair, err := trustbundle.ParseKeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return 0, end, errors.New("it is not a certificate and its key")
	}
	if err := pair.Leaf.VerifyHostname(self.CommonName()); err != nil {
		return 0, end, err
	}
	root, err := verify(pair, state.Bundle(), issuer.VerifyTime(pair.Leaf, now))
	if err != nil {
		return 0, end, err
	}
	life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore)
	renew := pair.Leaf.NotAfter.Add(-life / 2)
	ready := state.SigningSince().Add(mountDelay)
	if !state.Signing().Contains(root) {
		renew = now
	}
	// The last moment to wait until is in the last tenth of its life.
	if last := pair.Leaf.NotAfter.Add(-life / 10); renew.Before(ready) && ready.Before(last) {
		renew = ready
	}
	if now.Before(renew) {
		return renew.Sub(now), pair.Leaf.NotAfter, nil
	}
	return 0, pair.Leaf.NotAfter, fmt.Errorf("it ends at %s, and its root is %q", pair.Leaf.NotAfter.UTC().Format(time.RFC3339), root.Subject)
}

// verifyIssued returns the root that a certificate leads to which was issued now,
// or not long ago.
func verifyIssued(c *issuer.Certificate, bundle trustbundle.TrustBundle) (*x509.Certificate, error) {
	pair := c.TLS()
	return verify(pair, bundle, issuer.VerifyTime(pair.Leaf, time.Now()))
}

// verify returns the root that a certificate leads to.
func verify(pair *tls.Certificate, bundle trustbundle.TrustBundle, now time.Time) (*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		intermediates.AddCert(c)
	}
	leaf := pair.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, err
		}
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: bundle.Pool(), Intermediates: intermediates, CurrentTime: now})
	if err != nil {
		return nil, fmt.Errorf("it does not verify with the trusted roots: %w", err)
	}
	chain := chains[0]
	return chain[len(chain)-1], nil
}
