package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/manifests/follow"
)

// resyncPeriod hands the Secret to Set again without a change of it, so that a
// certificate that was refused as not yet valid is taken once it is.
const resyncPeriod = 5 * time.Minute

// SecretSourceOptions names the Secret of a serving certificate.
type SecretSourceOptions struct {
	// Namespace and Name of the kubernetes.io/tls Secret. Required.
	Namespace, Name string
	// ServerName is the DNS name that the API server calls, such as
	// "osm-injector.osm-system.svc": a SAN of the certificate. Required.
	ServerName string
	// Client lists and watches that one Secret in Run, and nothing else.
	Client kubernetes.Interface
	// Logger gets the certificates taken and refused. Default: none.
	Logger *slog.Logger
}

// SecretSource is a CertificateSource that serves what a Secret holds. It
// keeps a valid certificate when the Secret is deleted or replaced by
// something that can't be served. The zero value is of no use: see
// NewSecretSource.
type SecretSource struct {
	options SecretSourceOptions
	current atomic.Pointer[tls.Certificate]
	refusal atomic.Pointer[error]
}

// NewSecretSource returns a source that has no certificate before Set or Run
// gave it one.
func NewSecretSource(options SecretSourceOptions) *SecretSource {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	options.Logger = options.Logger.With("secret", options.Namespace+"/"+options.Name)
	return &SecretSource{options: options}
}

// Set takes the certificate of secret. When it can't be served, the error
// names the Secret, the key of it and the fix, and the certificate held
// before stays.
func (s *SecretSource) Set(secret *corev1.Secret) error {
	certificate, err := s.parse(secret)
	if err != nil {
		s.refusal.Store(&err)
		return err
	}
	s.current.Store(certificate)
	s.refusal.Store(nil)
	return nil
}

func (s *SecretSource) parse(secret *corev1.Secret) (*tls.Certificate, error) {
	if secret.Namespace != s.options.Namespace || secret.Name != s.options.Name {
		return nil, fmt.Errorf("secret %s/%s is not the serving certificate %s/%s",
			secret.Namespace, secret.Name, s.options.Namespace, s.options.Name)
	}
	certificate, err := parseServing(secret, s.options.ServerName, time.Now())
	if err != nil {
		return nil, fmt.Errorf("secret %s/%s: %w: delete the secret and restart osm-bootstrap, which issues it anew",
			secret.Namespace, secret.Name, err)
	}
	return certificate, nil
}

// GetCertificate implements CertificateSource. It fails while Ready does.
func (s *SecretSource) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if err := s.Ready(); err != nil {
		return nil, err
	}
	return s.current.Load(), nil
}

// Ready returns nil when there is a certificate to serve, or tells why not.
func (s *SecretSource) Ready() error {
	certificate := s.current.Load()
	switch {
	case certificate == nil:
		return s.unready(errors.New("no certificate yet: osm-bootstrap issues it"))
	case time.Now().After(certificate.Leaf.NotAfter):
		return s.unready(fmt.Errorf("the certificate held expired at %s", certificate.Leaf.NotAfter.Format(time.RFC3339)))
	}
	return nil
}

// Missing reports whether there was no Secret yet, neither to serve nor to refuse.
func (s *SecretSource) Missing() bool { return s.current.Load() == nil && s.refusal.Load() == nil }

// unready adds to why there is no certificate why the newest was refused.
func (s *SecretSource) unready(err error) error {
	err = fmt.Errorf("serving certificate of secret %s/%s: %w", s.options.Namespace, s.options.Name, err)
	if refusal := s.refusal.Load(); refusal != nil {
		return errors.Join(err, *refusal)
	}
	return err
}

// Run feeds the source from the Secret until ctx ends.
func (s *SecretSource) Run(ctx context.Context) error {
	secret := follow.New[*corev1.Secret](s.options.Client.CoreV1().Secrets(s.options.Namespace),
		follow.Options{Name: s.options.Name, Resync: resyncPeriod, Client: s.options.Client, Logger: s.options.Logger})
	secret.On(s.observe, func(*corev1.Secret) {
		s.options.Logger.Warn("serving certificate deleted: the one held is served until it expires")
	})
	return secret.Run(ctx)
}

// observe is where a refusal ends: only Ready's caller gets it.
func (s *SecretSource) observe(secret *corev1.Secret) {
	before := s.current.Load()
	if err := s.Set(secret); err != nil {
		s.options.Logger.Error("serving certificate refused", "error", err)
		return
	}
	if leaf := s.current.Load().Leaf; before == nil || !before.Leaf.Equal(leaf) {
		s.options.Logger.Info("serving certificate taken", "serial", leaf.SerialNumber.Text(16), "expires", leaf.NotAfter)
	}
}
