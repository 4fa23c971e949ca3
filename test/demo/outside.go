package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/test/mesh"
)

// showOutside prints what the cluster holds of a root whose authority is not of
// the mesh, once it does.
func (n *narrator) showOutside(ctx context.Context, root *x509.Certificate) error {
	var secret *corev1.Secret
	var roots rootsecret.Roots
	var last error
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if secret, last = n.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{}); last != nil {
			return false, unless(last, apierrors.IsNotFound)
		}
		roots, last = rootsecret.ParseRoots(secret, "", time.Now())
		return last == nil && roots.Contains(root), nil
	})
	if err != nil {
		return fmt.Errorf("secret %s does not have the root: %w (%v)", rootSecret, err, last)
	}
	keys := slices.Sorted(maps.Keys(secret.Data))
	proof("secret %s/%s, keys %s: no %s", secret.Namespace, secret.Name, strings.Join(keys, ", "), rootsecret.PrivateKeyKey)
	proof("subject %s, until %s", root.Subject, root.NotAfter.UTC().Format(time.RFC3339))
	return nil
}

func unless(err error, expected func(error) bool) error {
	if expected(err) {
		return nil
	}
	return err
}
