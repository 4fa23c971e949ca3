package rootsecret

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/retry"
)

// Store is the Secret of a root.
type Store struct {
	// Secrets is the client of the Secret's namespace.
	Secrets typedcorev1.SecretInterface
	// Name is the Secret's name.
	Name string
	// Labels are given to a Secret that is created.
	Labels map[string]string
	// TrustDomain is that of the names that Ensure's root has to be able to
	// certify. Empty: they are not checked.
	TrustDomain string
	// Unwritten is told why Ensure could not add an expiration: a root is good
	// without. May be nil.
	Unwritten func(error)
}

// Ensure returns the Secret's root. If there is no Secret it makes a root and
// creates one; if another client does so at the same time, theirs counts. The
// only thing that is ever written to a Secret that exists is a missing
// expiration.
func (s *Store) Ensure(ctx context.Context, makeRoot func() (Root, error)) (Root, error) {
	var root Root
	err := retry.OnError(retry.DefaultBackoff, replacedMeanwhile, func() (err error) {
		root, err = s.ensure(ctx, makeRoot)
		return err
	})
	return root, err
}

// replacedMeanwhile holds for a Secret that was changed or deleted between two
// calls: the root that was read may be no one's any more.
func replacedMeanwhile(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }

func (s *Store) ensure(ctx context.Context, makeRoot func() (Root, error)) (Root, error) {
	secret, err := s.Secrets.Get(ctx, s.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		secret, err = s.create(ctx, makeRoot)
	}
	if err != nil {
		return Root{}, err
	}
	root, err := Parse(secret, time.Now())
	if err != nil {
		return Root{}, err
	}
	if s.TrustDomain != "" {
		if err := CheckNames(secret, s.TrustDomain, root.Certificate); err != nil {
			return Root{}, err
		}
	}
	err = s.completeExpiration(ctx, secret, root)
	if replacedMeanwhile(err) {
		return Root{}, err
	}
	if err != nil && s.Unwritten != nil {
		s.Unwritten(fmt.Errorf("add the key %q to secret %s: %w", ExpirationKey, s.Name, err))
	}
	return root, nil
}

func (s *Store) create(ctx context.Context, makeRoot func() (Root, error)) (*corev1.Secret, error) {
	root, err := makeRoot()
	if err != nil {
		return nil, fmt.Errorf("make a root for secret %s: %w", s.Name, err)
	}
	data, err := encode(root)
	if err != nil {
		return nil, err
	}
	secret, err := s.Secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Labels: s.Labels},
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return s.Secrets.Get(ctx, s.Name, metav1.GetOptions{})
	}
	return secret, err
}

// completeExpiration adds the expiration to a Secret of an older mesh, which
// did not write one, unless it is immutable. The resource version keeps it from
// touching a Secret that was replaced meanwhile.
func (s *Store) completeExpiration(ctx context.Context, secret *corev1.Secret, root Root) error {
	if _, ok := secret.Data[ExpirationKey]; ok || immutable(secret) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]string{"resourceVersion": secret.ResourceVersion},
		"data":     map[string][]byte{ExpirationKey: []byte(root.Certificate.NotAfter.UTC().Format(expirationLayout))},
	})
	if err != nil {
		return err
	}
	_, err = s.Secrets.Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

func immutable(secret *corev1.Secret) bool { return secret.Immutable != nil && *secret.Immutable }
