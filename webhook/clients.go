package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/follow"
)

// What API servers publish of how they authenticate (Kubernetes, "Extension API
// server": anyone with the role extension-apiserver-authentication-reader reads it).
const (
	authenticationConfigMap = "extension-apiserver-authentication"
	clientCAKey             = "client-ca-file"
)

// ClientsOptions says which clients may call a Server.
type ClientsOptions struct {
	// CABundle are the PEM certificates that a client's must chain to. Default: the
	// cluster's own, from ConfigMap kube-system/extension-apiserver-authentication,
	// as it is at any time.
	CABundle []byte
	// Names are the common names that a client's certificate may have. Required
	// without a CABundle: the cluster's CA signs for kubelets and users, too.
	Names []string
	// Client lists and watches that one ConfigMap in Run, and nothing else.
	Client kubernetes.Interface
	// Logger gets the authorities taken and refused. Default: none.
	Logger *slog.Logger
}

// Clients verifies that those who call a Server are API servers. These present a
// certificate where their AdmissionConfiguration names a kubeconfig for it.
type Clients struct {
	options ClientsOptions
	roots   atomic.Pointer[x509.CertPool]
}

// NewClients fails if a CABundle is no PEM, or nothing tells API servers from other
// clients of the cluster.
func NewClients(options ClientsOptions) (*Clients, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Clients{options: options}
	switch {
	case len(options.CABundle) > 0:
		if err := c.set(options.CABundle); err != nil {
			return nil, fmt.Errorf("the webhooks' client CA: %w", err)
		}
	case len(options.Names) == 0:
		return nil, errors.New("the webhooks' clients: the cluster's CA signs for kubelets and users, too: set the common names of the API server's certificate, or a CA of its own")
	}
	return c, nil
}

func (c *Clients) set(bundle []byte) error {
	certificates, err := trustbundle.ParseCertificates(bundle)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	for _, certificate := range certificates {
		roots.AddCert(certificate)
	}
	c.roots.Store(roots)
	return nil
}

// Ready tells why no client can be verified yet. Without Clients, none is.
func (c *Clients) Ready() error {
	if c == nil {
		return nil
	}
	if c.roots.Load() == nil {
		return fmt.Errorf("the client CA of ConfigMap %s/%s is not known yet", metav1.NamespaceSystem, authenticationConfigMap)
	}
	return nil
}

// Run follows the cluster's authority until ctx ends.
func (c *Clients) Run(ctx context.Context) error {
	if c == nil || len(c.options.CABundle) > 0 {
		<-ctx.Done()
		return nil
	}
	configMap := follow.New[*corev1.ConfigMap](c.options.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem),
		follow.Options{Name: authenticationConfigMap, Client: c.options.Client, Logger: c.options.Logger})
	configMap.On(c.observe, nil)
	return configMap.Run(ctx)
}

// observe keeps the authorities that were there before where the ConfigMap has
// none that can be read.
func (c *Clients) observe(configMap *corev1.ConfigMap) {
	if err := c.set([]byte(configMap.Data[clientCAKey])); err != nil {
		c.options.Logger.Error("client CA refused", "configmap", configMap.Namespace+"/"+configMap.Name, "key", clientCAKey, "error", err)
		return
	}
	c.options.Logger.Info("client CA taken", "configmap", configMap.Namespace+"/"+configMap.Name, "ignored", trustbundle.Ignored([]byte(configMap.Data[clientCAKey])))
}

// demand returns config for a connection, with the authorities of now. Without
// session tickets each connection is verified anew.
func (c *Clients) demand(config *tls.Config) (*tls.Config, error) {
	if err := c.Ready(); err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, c.roots.Load()
	config.VerifyConnection, config.SessionTicketsDisabled = c.verifyName, true
	return config, nil
}

func (c *Clients) verifyName(state tls.ConnectionState) error {
	name := state.PeerCertificates[0].Subject.CommonName
	if len(c.options.Names) > 0 && !slices.Contains(c.options.Names, name) {
		return fmt.Errorf("the client's certificate is for %.64q, which is not an API server's name", name)
	}
	return nil
}
