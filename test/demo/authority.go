package main

import (
	"context"
	"crypto/x509"
)

// The names of those who can sign, as the chart has them.
const (
	tresorKind      = "tresor"
	vaultKind       = "vault"
	certManagerKind = "cert-manager"
)

const kinds = tresorKind + ", " + vaultKind + ", " + certManagerKind

// authority is who signs for the mesh, as the mesh's operator deals with it.
type authority struct {
	preface []chapter // sets it up
	titles  titles
	// values are the chart's for it.
	values func() (map[string]any, error)
	// root prints what the cluster holds of the root that signs, and returns that.
	root func(context.Context) (*x509.Certificate, error)
	// replace has another root sign.
	replace func(context.Context) error
	// holdsKey is set if the root's key is in the root's Secret.
	holdsKey bool
	stop     func() error
}

// titles are those of the chapters that are told of each authority otherwise.
type titles struct{ root, serving, keys string }

func (n *narrator) newAuthority(kind string) authority {
	switch kind {
	case vaultKind:
		return n.newVault()
	case certManagerKind:
		return n.newCertManager()
	}
	return n.newTresor()
}

// The titles of a root that the mesh does not have the key of.
const (
	ofItsOwn = "The webhooks have serving certificates that do not need it"
	nowhere  = "No Secret of the cluster holds a root's private key"
)
