package main

import (
	"context"
	"crypto/x509"

	operator "github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/mesh"
)

// certManagerStory is told of cert-manager in the cluster.
type certManagerStory struct {
	*narrator
	manager *operator.CertManager // nil before setUp
}

func (n *narrator) newCertManager() authority {
	s := &certManagerStory{narrator: n}
	return authority{
		preface: []chapter{{"cert-manager gets an Issuer, and the operator says which root to trust", s.setUp}},
		titles:  titles{root: "The mesh trusts the operator's root", serving: ofItsOwn, keys: nowhere},
		values:  func() (map[string]any, error) { return s.manager.Values(), nil },
		root:    s.readRoot,
		replace: s.replace,
		stop:    s.stop,
	}
}

func (s *certManagerStory) setUp(ctx context.Context) (err error) {
	if s.manager, err = operator.StartCertManager(ctx, s.cluster, operator.CertManagerOptions{Namespace: mesh.Namespace}); err != nil {
		return err
	}
	proof("Issuer %s/%s signs with an intermediate CA, whose key is in the secret %[2]s", mesh.Namespace, operator.IssuerName)
	proof("root %s, whose key is not in the cluster", s.manager.Root().Subject)
	proof("secret %s/%s has the root's certificate", mesh.Namespace, operator.RootSecret)
	return nil
}

func (s *certManagerStory) stop() error {
	if s.manager == nil {
		return nil
	}
	return s.manager.Stop()
}

func (s *certManagerStory) readRoot(ctx context.Context) (*x509.Certificate, error) {
	root := s.manager.Root()
	return root, s.showOutside(ctx, root)
}

// replace does what the guide says: every sidecar trusts the new root before
// anything is signed with it.
func (s *certManagerStory) replace(ctx context.Context) error {
	old := s.manager.Root()
	next, err := operator.NewCA()
	if err != nil {
		return err
	}
	if err := s.manager.Trust(ctx, old, next.Root); err != nil {
		return err
	}
	proof("ca.crt has the new root beside the old one: %s", next.Root.Subject)
	if err := s.trust(ctx, old, next.Root); err != nil {
		return err
	}
	if err := s.manager.Sign(ctx, next); err != nil {
		return err
	}
	proof("Issuer %s signs with an intermediate of the new root", operator.IssuerName)
	if err := s.manager.Trust(ctx, next.Root); err != nil {
		return err
	}
	proof("ca.crt has the new root alone, and the mesh trusts the old one as long as a certificate of it can live")
	return nil
}
