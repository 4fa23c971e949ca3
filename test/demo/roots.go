package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

const (
	rootSecret = "osm-ca-bundle"
	day        = 24 * time.Hour
)

func (n *narrator) showRoot(ctx context.Context) error {
	_, err := n.readRoot(ctx)
	return err
}

// readRoot prints and returns the root.
func (n *narrator) readRoot(ctx context.Context) (*x509.Certificate, error) {
	secret, err := n.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	root, err := rootsecret.Parse(secret, time.Now())
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(secret.Data))
	proof("secret %s/%s, type %s, keys %s", secret.Namespace, secret.Name, secret.Type, strings.Join(keys, ", "))
	proof("expiration %s (in %.0f days)", secret.Data[rootsecret.ExpirationKey], time.Until(root.Certificate.NotAfter).Hours()/24)
	proof("subject %s", root.Certificate.Subject)
	if len(keys) != 3 || secret.Type != corev1.SecretTypeOpaque {
		return nil, fmt.Errorf("the secret has keys %v and type %s", keys, secret.Type)
	}
	return root.Certificate, nil
}

// showServing prints the serving certificates and verifies them as the API
// server does, with the caBundle of the webhook.
func (n *narrator) showServing(ctx context.Context) error {
	webhook, err := n.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(webhook.Webhooks[0].ClientConfig.CABundle) {
		return fmt.Errorf("webhook %s has no caBundle", webhook.Name)
	}
	for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
		secret, err := n.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, service+"-tls", metav1.GetOptions{})
		if err != nil {
			return err
		}
		leaf, err := parseLeaf(secret.Data[corev1.TLSCertKey])
		if err != nil {
			return err
		}
		host := service + "." + mesh.Namespace + ".svc"
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
			return fmt.Errorf("secret %s: %w", secret.Name, err)
		}
		proof("CN %-30s until %s (%.1f years), verifies with the caBundle",
			leaf.Subject.CommonName, leaf.NotAfter.UTC().Format(time.RFC3339), time.Until(leaf.NotAfter).Hours()/24/365)
		if leaf.Subject.CommonName != host || time.Until(leaf.NotAfter) < 3649*day {
			return fmt.Errorf("secret %s holds another certificate", secret.Name)
		}
	}
	return nil
}

// rotate does what the guide says, and waits for both sidecars to follow.
func (n *narrator) rotate(ctx context.Context) error {
	old, err := n.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := n.client.CoreV1().Secrets(mesh.Namespace).Delete(ctx, rootSecret, metav1.DeleteOptions{}); err != nil {
		return err
	}
	proof("secret %s deleted", rootSecret)
	for _, name := range []string{"osm-controller", "osm-injector", "osm-bootstrap"} {
		if err := mesh.Restart(ctx, n.client, mesh.Namespace, name); err != nil {
			return err
		}
		proof("deployment %s restarted", name)
	}
	if err := n.waitNewRoot(ctx, old); err != nil {
		return err
	}
	root, err := n.readRoot(ctx)
	if err != nil {
		return err
	}
	for _, p := range []*player{n.buyer, n.store} {
		state, err := p.sidecar.Wait(ctx, func(s sidecar.State) bool {
			return s.Leaf() != nil && s.Leaf().CheckSignatureFrom(root) == nil
		})
		if err != nil {
			return fmt.Errorf("%s is not on the new root: %w", p.name(), err)
		}
		proof("%s has certificate %s of the new root", p.name(), state.Leaf().SerialNumber.Text(16))
	}
	if err := n.showServing(ctx); err != nil {
		return err
	}
	return n.shakeHands(ctx)
}

func (n *narrator) waitNewRoot(ctx context.Context, old *corev1.Secret) error {
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		secrets, err := n.client.CoreV1().Secrets(mesh.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, s := range secrets.Items {
			if s.Name == rootSecret {
				return !bytes.Equal(s.Data[rootsecret.CertificateKey], old.Data[rootsecret.CertificateKey]), nil
			}
		}
		return false, nil
	})
}
