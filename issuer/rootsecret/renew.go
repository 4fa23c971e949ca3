package rootsecret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

// ErrForeign is returned for a Secret that is not the mesh's to change: another
// client made it, or made it immutable.
var ErrForeign = errors.New("it is not the mesh's to change")

// Renew replaces the Secret's root, if it is still the old one, and returns the
// root that counts then. Of many that do so at the same time, one is told that
// the root is its own; whatever else was written meanwhile is left as it is.
func (s *Store) Renew(ctx context.Context, old Root, makeRoot func() (Root, error)) (root Root, renewed bool, err error) {
	err = retry.OnError(retry.DefaultBackoff, replacedMeanwhile, func() error {
		root, renewed, err = s.renew(ctx, old, makeRoot)
		return err
	})
	return root, renewed, err
}

func (s *Store) renew(ctx context.Context, old Root, makeRoot func() (Root, error)) (Root, bool, error) {
	secret, err := s.Secrets.Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return Root{}, false, err
	}
	present, err := Parse(secret, time.Now())
	if err != nil || !present.Certificate.Equal(old.Certificate) {
		return present, false, err
	}
	if !s.made(secret) || immutable(secret) {
		return Root{}, false, fmt.Errorf("secret %s: %w", s.Name, ErrForeign)
	}
	root, err := makeRoot()
	if err != nil {
		return Root{}, false, fmt.Errorf("make a root for secret %s: %w", s.Name, err)
	}
	data, err := encode(root)
	if err != nil {
		return Root{}, false, err
	}
	// The resource version keeps it from touching a Secret that was changed meanwhile.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]string{"resourceVersion": secret.ResourceVersion}, "data": data})
	if err != nil {
		return Root{}, false, err
	}
	_, err = s.Secrets.Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return root, err == nil, err
}

// made tells whether the Secret has the labels of those that are created, of
// whatever version.
func (s *Store) made(secret *corev1.Secret) bool {
	for key, value := range s.Labels {
		if key != versionLabel && secret.Labels[key] != value {
			return false
		}
	}
	return len(s.Labels) > 0
}

const versionLabel = "app.kubernetes.io/version"
