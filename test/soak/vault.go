package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/vault"
)

const vaultObject = "vault"

// useVault has a Vault sign, which is started for that.
func (s *soak) useVault(ctx context.Context) (*x509.Certificate, error) {
	if s.vault == nil {
		var err error
		if s.vault, err = authority.StartVault(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
		if err := s.keepToken(ctx); err != nil {
			return nil, err
		}
	}
	root, err := s.vault.Root(ctx)
	if err != nil {
		return nil, err
	}
	return s.sign(ctx, vaultObject, root, map[string]any{"vault": map[string]any{
		"address":  s.vault.Address,
		"role":     vault.Role,
		"caBundle": base64.StdEncoding.EncodeToString(s.vault.CA),
		"auth":     map[string]any{"tokenSecretRef": map[string]any{"name": vaultObject, "key": "token"}},
	}})
}

// keepToken puts the mesh's token where the MeshRootCertificate says.
func (s *soak) keepToken(ctx context.Context) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: vaultObject, Annotations: map[string]string{v1.AnnotationVaultAddress: s.vault.Address},
	}, StringData: map[string]string{"token": s.vault.MeshToken()}}
	_, err := s.client.CoreV1().Secrets(mesh.Namespace).Create(ctx, secret, metav1.CreateOptions{})
	return err
}

// sealVault seals the Vault that signs, and has another root take its place.
func (s *soak) sealVault(ctx context.Context) (*x509.Certificate, error) {
	if err := s.vault.Seal(ctx); err != nil {
		return nil, err
	}
	return s.makeSecond(ctx)
}

// unsealVault has it sign again.
func (s *soak) unsealVault(ctx context.Context) (*x509.Certificate, error) {
	if err := s.vault.Unseal(ctx); err != nil {
		return nil, err
	}
	return s.goBack(ctx)
}
