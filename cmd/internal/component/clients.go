package component

import (
	"errors"
	"flag"
	"log/slog"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/webhook"
)

// clientFlags say who may call the webhooks.
type clientFlags struct {
	verify   bool
	caBundle string
	names    string // with commas between
}

func (c *clientFlags) add(fs *flag.FlagSet) {
	fs.BoolVar(&c.verify, "verify-webhook-client", false, "answer only API servers that prove themselves with a client certificate")
	fs.StringVar(&c.caBundle, "webhook-client-ca-bundle", "", "PEM certificates that theirs must chain to; when empty, those of ConfigMap kube-system/extension-apiserver-authentication")
	fs.StringVar(&c.names, "webhook-client-names", "", "common names that theirs may have, with commas between; any when empty")
}

func (c *clientFlags) check() error {
	if !c.verify && c.caBundle+c.names != "" {
		return errors.New("-webhook-client-ca-bundle and -webhook-client-names count for nothing without -verify-webhook-client: set it")
	}
	return nil
}

// WebhookClients returns who may call the webhooks of a component: nil for anyone.
func (o *Options) WebhookClients(client kubernetes.Interface, logger *slog.Logger) (*webhook.Clients, error) {
	if err := o.clients.check(); err != nil || !o.clients.verify {
		return nil, err
	}
	var names []string
	if o.clients.names != "" {
		names = strings.Split(o.clients.names, ",")
	}
	return webhook.NewClients(webhook.ClientsOptions{
		CABundle: []byte(o.clients.caBundle), Names: names, Client: client, Logger: logger,
	})
}
