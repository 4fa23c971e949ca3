package bootstrap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// authorityKey is the key of a serving certificate's Secret with the
	// authorities that it is, was and is about to be signed by: they do not leave
	// the caBundles before it is replaced, whatever else is forgotten.
	authorityKey = "ca.crt"

	// retirement is how long an authority stays in the caBundles that signs no
	// certificate of a Secret: a server may be about to use one, or not have
	// heard yet that it has another.
	retirement = time.Hour
)

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

// server is a webhook and the Secret of its serving certificate.
type server struct {
	service, host string
	secret        *corev1.Secret
	missing       bool // the Secret is yet to be created
}

// self is the webhook that this process is itself.
const self = "osm-bootstrap"

// unusableError says that a Secret cannot hold a serving certificate.
type unusableError struct{ problem string }

func (e *unusableError) Error() string { return e.problem + "; to fix it, delete it" }

// readServers leaves out webhooks whose Secret cannot be used: the others need
// not wait for that.
func (b *Bootstrap) readServers(ctx context.Context) ([]*server, error) {
	var servers []*server
	for _, service := range webhooks {
		s, err := b.readServer(ctx, service)
		if err := b.passOver(s, err); err != nil {
			return nil, err
		}
		if err == nil {
			servers = append(servers, s)
		}
	}
	return servers, nil
}

// passOver notes that the Secret of a webhook cannot be used, and returns any
// other error. This process depends on its own certificate, unless the API
// server accepts the one that it has.
func (b *Bootstrap) passOver(s *server, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("serving certificate of %s: %w", s.service, err)
	if _, unusable := errors.AsType[*unusableError](err); !unusable {
		return err
	}
	if s.service == self && !b.accepted(s) {
		b.unserved = err
		return nil
	}
	b.beside(err)
	return nil
}

func (b *Bootstrap) readServer(ctx context.Context, service string) (*server, error) {
	s := &server{service: service, host: service + "." + b.MeshNamespace + ".svc", secret: &corev1.Secret{}}
	secret, err := b.Secrets.Get(ctx, ServingSecret(service), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		meta := metav1.ObjectMeta{Name: ServingSecret(service), Labels: b.Labels}
		s.secret, s.missing = &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeTLS}, true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if secret.Type != corev1.SecretTypeTLS {
		return s, &unusableError{fmt.Sprintf("secret %s/%s is of type %s, not %s, which cannot be changed", secret.Namespace, secret.Name, secret.Type, corev1.SecretTypeTLS)}
	}
	s.secret = secret
	return s, nil
}

// writable tells whether the Secret can get another certificate.
func (s *server) writable() bool { return s.secret.Immutable == nil || !*s.secret.Immutable }

// sealed is the error of a Secret that is not writable.
func (s *server) sealed() error {
	return &unusableError{fmt.Sprintf("secret %s/%s is immutable, and needs another certificate", s.secret.Namespace, s.secret.Name)}
}

// authorities are all that the Secret names; none if they cannot be read, and
// the certificate is then issued anew.
func (s *server) authorities() trustbundle.TrustBundle {
	bundle, err := trustbundle.Parse(s.secret.Data[authorityKey])
	if err != nil {
		return trustbundle.TrustBundle{}
	}
	return bundle
}

// ownCAs are those of the CAs whose keys are discarded.
func (s *server) ownCAs() trustbundle.TrustBundle {
	return trustbundle.New(slices.DeleteFunc(s.authorities().Roots(), func(ca *x509.Certificate) bool {
		return ca.Subject.CommonName != ownCommonName
	})...)
}

// leaf is the certificate that the Secret has, or nil.
func (s *server) leaf() *x509.Certificate {
	chain, err := trustbundle.ParseCertificates(s.secret.Data[corev1.TLSCertKey])
	if err != nil {
		return nil
	}
	return chain[0]
}

// signers are the authorities that signed the present certificate.
func (s *server) signers(now time.Time) trustbundle.TrustBundle {
	leaf := s.leaf()
	return trustbundle.New(slices.DeleteFunc(s.authorities().Roots(), func(ca *x509.Certificate) bool {
		return leaf == nil || now.After(ca.NotAfter) || leaf.CheckSignatureFrom(ca) != nil
	})...)
}

// trusted are the authorities that the API server has to know. One that is
// revoked is among them while it is in use, and not a moment longer.
func (s *server) trusted(revoked trustbundle.TrustBundle, now time.Time) trustbundle.TrustBundle {
	leaf := s.leaf()
	isNew := leaf != nil && now.Sub(leaf.NotBefore) < retirement
	others := slices.DeleteFunc(s.authorities().Roots(), func(ca *x509.Certificate) bool {
		return revoked.Contains(ca) || !isNew && now.Sub(ca.NotBefore) >= retirement
	})
	return s.signers(now).Union(trustbundle.New(others...))
}
