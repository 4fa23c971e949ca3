package sidecar

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// State is what a sidecar has accepted from the control plane: immutable, and
// replaced as a whole.
type State struct {
	certificate *tls.Certificate
	bundle      trustbundle.TrustBundle
	version     string            // of everything, as the server says
	versions    map[string]string // of each secret, from the incremental protocol
}

// Ready reports whether there is a certificate that is valid now, and a bundle
// to verify peers with.
func (s State) Ready() bool {
	return s.certificate != nil && time.Now().Before(s.certificate.Leaf.NotAfter) && !s.bundle.IsEmpty()
}

// Certificate returns the chain and key, nil before the first.
func (s State) Certificate() *tls.Certificate { return s.certificate }

// Leaf returns the certificate itself, nil before the first.
func (s State) Leaf() *x509.Certificate {
	if s.certificate == nil {
		return nil
	}
	return s.certificate.Leaf
}

// chain is the sidecar's, nil before the first.
func (s State) chain() (chain []*x509.Certificate) {
	if s.certificate == nil {
		return nil
	}
	for _, der := range s.certificate.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil // never: the pair was parsed
		}
		chain = append(chain, c)
	}
	return chain
}

// Bundle returns the roots that verify peers, none before the first.
func (s State) Bundle() trustbundle.TrustBundle { return s.bundle }

// Version returns the server's version of what was accepted last.
func (s State) Version() string { return s.version }

// at returns the state as of a version of everything and of some secrets.
func (s State) at(version string, versions map[string]string) State {
	s.version = version
	s.versions = maps.Clone(s.versions)
	if s.versions == nil {
		s.versions = map[string]string{}
	}
	maps.Copy(s.versions, versions)
	return s
}
