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
)

func (n *narrator) newTresor() authority {
	return authority{
		titles: titles{
			root:    "osm-bootstrap made the mesh's root",
			serving: "The webhooks have serving certificates of that root",
			keys:    "The root's private key is in its Secret, and in no other",
		},
		values:   func() (map[string]any, error) { return nil, nil },
		root:     n.tresorRoot,
		replace:  n.replaceTresor,
		holdsKey: true,
		stop:     func() error { return nil },
	}
}

func (n *narrator) tresorRoot(ctx context.Context) (*x509.Certificate, error) {
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

// replaceTresor does what the guide says.
func (n *narrator) replaceTresor(ctx context.Context) error {
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
	return n.waitNewRoot(ctx, old)
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
