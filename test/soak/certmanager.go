package main

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/mesh"
)

const (
	certManagerObject = "cert-manager"
	certManagerRoots  = "cert-manager-roots"
)

// startCertManager starts a cert-manager, unless it runs. Its roots are in a
// Secret of their own, for the mesh's has the built-in root.
func (s *soak) startCertManager(ctx context.Context) (err error) {
	if s.certManager == nil {
		s.certManager, err = authority.StartCertManager(context.WithoutCancel(ctx), s.cluster,
			authority.CertManagerOptions{Namespace: mesh.Namespace, RootSecret: certManagerRoots})
	}
	return err
}

// useCertManager has a cert-manager sign, which is started for that.
func (s *soak) useCertManager(ctx context.Context) (*x509.Certificate, error) {
	if err := s.startCertManager(ctx); err != nil {
		return nil, err
	}
	return s.sign(ctx, certManagerObject, s.certManager.Root(), map[string]any{"certManager": map[string]any{
		"issuerRef":      map[string]any{"name": authority.IssuerName},
		"rootsSecretRef": map[string]any{"name": certManagerRoots},
	}})
}

// stopAuthorities ends those that were started.
func (s *soak) stopAuthorities() (err error) {
	if s.vault != nil {
		err = s.vault.Stop()
	}
	if s.certManager != nil {
		err = errors.Join(err, s.certManager.Stop())
	}
	return err
}
