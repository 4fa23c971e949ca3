package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"

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
	s.seconds++
	name := fmt.Sprintf("second-%d", s.seconds)
	store := rootsecret.Store{Secrets: s.client.CoreV1().Secrets(mesh.Namespace), Name: name}
	root, err := store.Ensure(ctx, func() (rootsecret.Root, error) {
		certificate, key, err := tresor.NewRoot()
		return rootsecret.Root{Certificate: certificate, Key: key}, err
	})
	if err != nil {
		return nil, err
	}
	return root.Certificate, s.activate(ctx, name, map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": name}}})
}

// activate makes a MeshRootCertificate that is Active from the beginning.
func (s *soak) activate(ctx context.Context, name string, provider map[string]any) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1.GroupVersion.String(), "kind": "MeshRootCertificate", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"role": string(v1.Active), "provider": provider},
	}}
	s.newest = name
	return s.insist(ctx, func(ctx context.Context) error {
		_, err := s.rootObjects().Create(ctx, object, metav1.CreateOptions{})
		return err
	})
}

// goBack makes the newest Passive: the one before it signs again.
func (s *soak) goBack(ctx context.Context) (*x509.Certificate, error) {
	if s.newest == "" {
		return nil, errors.New("there is no second MeshRootCertificate")
	}
	patch := fmt.Appendf(nil, `{"spec":{"role":%q}}`, v1.Passive)
	err := s.insist(ctx, func(ctx context.Context) error {
		_, err := s.rootObjects().Patch(ctx, s.newest, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.newest = ""
	return s.ownRoot(ctx)
}

// insist tries again what the validating webhook may be away for.
func (s *soak) insist(ctx context.Context, act func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		if last = act(ctx); last != nil {
			s.judge(last)
		}
		return last == nil, nil
	})
	return errors.Join(err, last)
}
