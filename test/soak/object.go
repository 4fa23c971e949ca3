package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/mesh"
)

func (s *soak) rootObjects() dynamic.ResourceInterface {
	return s.objects.Resource(v1.GroupVersion.WithResource("meshrootcertificates")).Namespace(mesh.Namespace)
}

// makeSecond makes another MeshRootCertificate, with a Secret of its own. It is
// the newest that is Active: it signs.
func (s *soak) makeSecond(ctx context.Context) (*x509.Certificate, error) {
	s.made++
	name := fmt.Sprintf("second-%d", s.made)
	store := rootsecret.Store{Secrets: s.client.CoreV1().Secrets(mesh.Namespace), Name: name}
	root, err := store.Ensure(ctx, func() (rootsecret.Root, error) {
		certificate, key, err := tresor.NewRoot()
		return rootsecret.Root{Certificate: certificate, Key: key}, err
	})
	if err != nil {
		return nil, err
	}
	return s.sign(ctx, name, root.Certificate, map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": name}}})
}

// activate makes a MeshRootCertificate that is Active from the beginning, or has
// the one that there is Active again.
func (s *soak) activate(ctx context.Context, name string, provider map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1.GroupVersion.String(), "kind": "MeshRootCertificate", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"role": string(v1.Active), "provider": provider},
	}}
	return s.insist(ctx, func(ctx context.Context) error {
		_, err := s.rootObjects().Create(ctx, object, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return s.setRole(ctx, name, v1.Active)
		}
		return err
	})
}

// signer is a MeshRootCertificate that was made Active.
type signer struct {
	name string
	root *x509.Certificate
}

// sign has the newest MeshRootCertificate sign, which is that of the provider.
func (s *soak) sign(ctx context.Context, name string, root *x509.Certificate, provider map[string]any) (*x509.Certificate, error) {
	s.signers = append(s.signers, signer{name, root})
	return root, s.activate(ctx, name, provider)
}

// goBack makes the newest Passive: the one before it signs again.
func (s *soak) goBack(ctx context.Context) (*x509.Certificate, error) {
	last := len(s.signers) - 1
	if last < 0 {
		return nil, errors.New("there is no second MeshRootCertificate")
	}
	err := s.insist(ctx, func(ctx context.Context) error { return s.setRole(ctx, s.signers[last].name, v1.Passive) })
	if err != nil {
		return nil, err
	}
	s.signers = s.signers[:last]
	if last > 0 {
		return s.signers[last-1].root, nil
	}
	return s.ownRoot(ctx)
}

func (s *soak) setRole(ctx context.Context, name string, role v1.Role) error {
	patch := fmt.Appendf(nil, `{"spec":{"role":%q}}`, role)
	_, err := s.rootObjects().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// insist tries again what the validating webhook may be away for.
func (s *soak) insist(ctx context.Context, act func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		if last = act(ctx); last != nil {
			s.countRefused(last)
		}
		return last == nil, nil
	})
	return errors.Join(err, last)
}
