package certmanager

import (
	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/typed/certmanager/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// Client is cert-manager's own client of its objects.
type Client = cmclient.CertmanagerV1Interface

// NewClient returns a client that does not limit its own requests: how many are
// under way is limited by who asks for certificates, and by the API server.
func NewClient(config *rest.Config) (Client, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.RateLimiter = -1, nil
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	return cmclient.NewForConfig(config)
}
