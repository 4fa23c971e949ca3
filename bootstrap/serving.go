package bootstrap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
)

// servingValidity is the lifetime of a webhook's serving certificate: ten
// years, though never longer than the root's.
const servingValidity = 87600 * time.Hour

// webhooks are the Services that the API server calls.
var webhooks = [...]string{"osm-injector", "osm-validator", "osm-bootstrap"}

// ServingSecrets returns the names of the Secrets with serving certificates.
func ServingSecrets() []string {
	var names []string
	for _, service := range webhooks {
		names = append(names, ServingSecret(service))
	}
	return names
}

// ServingSecret returns the name of the Secret with a webhook's serving
// certificate.
func ServingSecret(service string) string { return service + "-tls" }

// serve sees to it that every webhook has a serving certificate of the CA.
func (b *Bootstrap) serve(ctx context.Context, ca *tresor.CA) error {
	for _, service := range webhooks {
		err := retry.OnError(retry.DefaultBackoff, lostRace, func() error { return b.serveOne(ctx, ca, service) })
		if err != nil {
			return fmt.Errorf("serving certificate of %s: %w", service, err)
		}
	}
	return nil
}

func lostRace(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

func (b *Bootstrap) serveOne(ctx context.Context, ca *tresor.CA, service string) error {
	name, host := ServingSecret(service), service+"."+b.MeshNamespace+".svc"
	secret, err := b.Secrets.Get(ctx, name, metav1.GetOptions{})
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return err
	}
	if !missing {
		if secret.Type != corev1.SecretTypeTLS {
			return fmt.Errorf("secret %s/%s is of type %s, not %s, which cannot be changed; to mend it, delete it",
				secret.Namespace, name, secret.Type, corev1.SecretTypeTLS)
		}
		reason := checkServing(secret, ca.Root(), host, time.Now())
		if reason == nil {
			return nil
		}
		b.Logger.Info("a serving certificate is issued anew", "secret", name, "reason", reason)
	}
	data, err := issueServing(ctx, ca, host)
	if err != nil {
		return err
	}
	if missing {
		meta := metav1.ObjectMeta{Name: name, Labels: b.Labels}
		_, err = b.Secrets.Create(ctx, &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeTLS, Data: data}, metav1.CreateOptions{})
		return err
	}
	secret.Data = data
	_, err = b.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
	return err
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

// checkServing returns why the Secret's certificate has to be replaced, or nil.
func checkServing(secret *corev1.Secret, root *x509.Certificate, host string, now time.Time) error {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return errors.New("it is not a certificate and its key")
	}
	leaf := pair.Leaf
	options := x509.VerifyOptions{DNSName: host, Roots: issuer.NewTrustBundle(root).Pool(), CurrentTime: now}
	if _, err := leaf.Verify(options); err != nil {
		return fmt.Errorf("it does not verify with the root: %w", err)
	}
	// One that ends with the root cannot be made to last longer.
	if leaf.NotAfter.Before(root.NotAfter) && leaf.NotAfter.Sub(now) < leaf.NotAfter.Sub(leaf.NotBefore)/3 {
		return fmt.Errorf("less than a third of its life is left, it ends at %s", leaf.NotAfter.UTC())
	}
	return nil
}
