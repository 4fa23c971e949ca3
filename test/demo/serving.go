package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/mesh"
)

// showServing prints the serving certificates and verifies them as the API
// server does, with the caBundle of the webhook.
func (n *narrator) showServing(ctx context.Context) error {
	bundle, err := n.caBundle(ctx)
	if err != nil {
		return err
	}
	for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
		leaf, err := n.serving(ctx, service)
		if err != nil {
			return err
		}
		host := service + "." + mesh.Namespace + ".svc"
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: bundle.Pool()}); err != nil {
			return fmt.Errorf("serving certificate of %s: %w", service, err)
		}
		proof("CN %-30s until %s (%.1f years), verifies with the caBundle",
			leaf.Subject.CommonName, leaf.NotAfter.UTC().Format(time.RFC3339), time.Until(leaf.NotAfter).Hours()/24/365)
		if leaf.Subject.CommonName != host || time.Until(leaf.NotAfter) < 3649*day {
			return fmt.Errorf("%s serves with another certificate", service)
		}
		if !n.authority.holdsKey && leaf.CheckSignatureFrom(n.root) == nil {
			return fmt.Errorf("the serving certificate of %s is signed by the mesh's root", service)
		}
	}
	if !n.authority.holdsKey {
		proof("each is of a CA of osm-bootstrap's, whose key is thrown away")
	}
	return nil
}

// caBundle returns what the API server verifies the mutating webhook with.
func (n *narrator) caBundle(ctx context.Context) (trustbundle.TrustBundle, error) {
	webhook, err := n.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		return trustbundle.TrustBundle{}, err
	}
	return trustbundle.Parse(webhook.Webhooks[0].ClientConfig.CABundle)
}

func (n *narrator) serving(ctx context.Context, service string) (*x509.Certificate, error) {
	secret, err := n.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, service+"-tls", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return parseLeaf(secret.Data[corev1.TLSCertKey])
}
