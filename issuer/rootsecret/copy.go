package rootsecret

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/mesh"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// Copy has the Secret show roots whose keys are elsewhere. A Secret that holds
// a private key is left as it is: it is the only one that has that root.
func (s *Store) Copy(ctx context.Context, roots trustbundle.TrustBundle) error {
	return retry.OnError(retry.DefaultBackoff, outdated, func() error { return s.copy(ctx, roots) })
}

// outdated holds for a write to a Secret that was created, changed or deleted since
// it was read.
func outdated(err error) bool { return mesh.LostRace(err) || apierrors.IsNotFound(err) }

func (s *Store) copy(ctx context.Context, roots trustbundle.TrustBundle) error {
	data := map[string][]byte{CertificateKey: roots.PEM(), ExpirationKey: []byte(firstEnd(roots).UTC().Format(expirationLayout))}
	secret, err := s.Secrets.Get(ctx, s.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		meta := metav1.ObjectMeta{Name: s.Name, Labels: s.Labels}
		_, err = s.Secrets.Create(ctx, &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque, Data: data}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	_, hasKey := secret.Data[PrivateKeyKey]
	same := bytes.Equal(secret.Data[CertificateKey], data[CertificateKey]) && bytes.Equal(secret.Data[ExpirationKey], data[ExpirationKey])
	if hasKey || same {
		return nil
	}
	if immutable(secret) {
		return &RefusedError{secret.Namespace, secret.Name, CertificateKey, "it is immutable, and does not show the roots of today", "delete the secret, which is then made anew"}
	}
	// The resource version keeps it from touching a Secret that got a key meanwhile.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": secret.ResourceVersion}, "data": data})
	if err != nil {
		return err
	}
	_, err = s.Secrets.Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// firstEnd is when the first of the roots expires.
func firstEnd(roots trustbundle.TrustBundle) time.Time {
	var first time.Time
	for _, root := range roots.Roots() {
		if first.IsZero() || root.NotAfter.Before(first) {
			first = root.NotAfter
		}
	}
	return first
}
