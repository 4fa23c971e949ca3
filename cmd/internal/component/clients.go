package component

import (
	"errors"
	"flag"
	"log/slog"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/webhook"
)

// ClientFlags say who may call the webhook of a component. Conversions have none:
// API servers never present a certificate to them (Kubernetes 1.37,
// newWebhookConverterFactory).
type ClientFlags struct {
	verify   bool
	caBundle string
	names    string // with commas between
}

// Add adds the flags.
func (c *ClientFlags) Add(fs *flag.FlagSet) {
	fs.BoolVar(&c.verify, "verify-webhook-client", false, "answer only API servers that prove themselves with a client certificate")
	fs.StringVar(&c.caBundle, "webhook-client-ca-bundle", "", "PEM certificates that theirs must chain to; when empty, those of ConfigMap kube-system/extension-apiserver-authentication")
	fs.StringVar(&c.names, "webhook-client-names", "", "common names that theirs may have, with commas between; any when empty")
}

func (c *ClientFlags) check() error {
	if !c.verify && c.caBundle+c.names != "" {
		return errors.New("-webhook-client-ca-bundle and -webhook-client-names have no effect without -verify-webhook-client: set it")
	}
	return nil
}

// Clients returns who may call: nil for anyone.
func (c *ClientFlags) Clients(client kubernetes.Interface, logger *slog.Logger) (*webhook.Clients, error) {
	if err := c.check(); err != nil || !c.verify {
		return nil, err
	}
	var names []string
	if c.names != "" {
		names = strings.Split(c.names, ",")
	}
	return webhook.NewClients(webhook.ClientsOptions{
		CABundle: []byte(c.caBundle), Names: names, Client: client, Logger: logger,
	})
}
