package check

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/trust"
)

// Root lives end in a warning when little of them is left, and in an error when
// next to nothing is.
const (
	endsSoon = 90 * 24 * time.Hour
	endsNow  = 14 * 24 * time.Hour
)

func (s *Snapshot) roots(c *Check) {
	active := 0
	for i := range s.Roots {
		root := &s.Roots[i]
		if root.Spec.Role == v1.Active {
			active++
		}
		if root.Spec.Role.Used() {
			s.authority(root, c)
		}
	}
	if active == 0 {
		c.fail("Namespace "+s.Namespace, s.restart("osm-bootstrap"), "no MeshRootCertificate of it is Active: no certificate is issued or renewed")
	}
	s.issuers(c)
	s.lifetimes(c)
}

// authority checks one MeshRootCertificate, and the Secret that it stands on.
func (s *Snapshot) authority(root *v1.MeshRootCertificate, c *Check) {
	object := s.object("MeshRootCertificate", root.Name)
	s.rootSecret(root, c)
	s.plainVault(root, c)
	switch ready := meta.FindStatusCondition(root.Status.Conditions, v1.ConditionReady); {
	case ready == nil || root.Status.ObservedGeneration != root.Generation:
		c.warn(object, s.logs("osm-controller"), "osm-controller has not taken notice of it yet")
	case ready.Status != metav1.ConditionTrue:
		c.fail(object, s.mendAuthority(root), "it cannot be used (%s): %s", ready.Reason, ready.Message)
	case ready.Reason == v1.ReasonRootsLeftOut, ready.Reason == v1.ReasonTokenEnds, ready.Reason == v1.ReasonLifetimesShortened:
		c.warn(object, s.attend(root, ready.Reason), "%s", ready.Message)
	case ready.Reason == v1.ReasonRootsRefused:
		c.warn(object, "if nobody of yours added them, delete those issuers in Vault, and see who may add roots: kubectl get events -n "+s.Namespace+" --field-selector reason=RootRefused", "%s", ready.Message)
	}
}

// plainVault warns of a login that the network can read.
func (s *Snapshot) plainVault(root *v1.MeshRootCertificate, c *Check) {
	if vault := root.Spec.Provider.Vault; vault != nil && vault.Plain() {
		c.warn(s.object("MeshRootCertificate", root.Name), fmt.Sprintf("kubectl edit mrc -n %s %s, and have spec.provider.vault.address begin with https", s.Namespace, root.Name),
			"Vault is asked over http at %s: whoever is on the way reads the mesh's login, and can have certificates signed for any name", vault.Address)
	}
}

// mendAuthority is where to look when an authority does not sign.
func (s *Snapshot) mendAuthority(root *v1.MeshRootCertificate) string {
	describe := fmt.Sprintf("kubectl describe mrc -n %s %s", s.Namespace, root.Name)
	switch p := root.Spec.Provider; {
	case p.Vault != nil:
		return fmt.Sprintf("see that Vault answers at %s, is unsealed and accepts the mesh's login: %s", p.Vault.Address, describe)
	case p.CertManager != nil:
		ref := p.CertManager.IssuerRef
		return fmt.Sprintf("kubectl describe %s.%s -n %s %s", ref.Kind, ref.Group, s.Namespace, ref.Name)
	}
	return describe
}

// attend is what to do about an authority that can be used and needs attention.
func (s *Snapshot) attend(root *v1.MeshRootCertificate, reason string) string {
	p := root.Spec.Provider
	switch {
	case reason == v1.ReasonTokenEnds && p.Vault != nil && p.Vault.Auth.TokenSecretRef != nil:
		return fmt.Sprintf("put a token with a period, of vault token create -period=24h, into key %s: kubectl edit secret -n %s %s", p.Vault.Auth.TokenSecretRef.Key, s.Namespace, p.Vault.Auth.TokenSecretRef.Name)
	case reason == v1.ReasonLifetimesShortened && p.Vault != nil:
		return fmt.Sprintf("vault patch %s/roles/%s max_ttl=24h, or the lifetime that the mesh asks for, and vault secrets tune -max-lease-ttl=87600h %[1]s", cmp.Or(p.Vault.Mount, "pki"), p.Vault.Role)
	}
	return fmt.Sprintf("kubectl describe mrc -n %s %s", s.Namespace, root.Name)
}

// RootSecret returns the name of the Secret that a root of the mesh's own is in.
func RootSecret(root *v1.MeshRootCertificate) (name string, ok bool) {
	if t := root.Spec.Provider.Tresor; t != nil {
		return t.SecretRef.Name, true
	}
	return "", false
}

func (s *Snapshot) rootSecret(root *v1.MeshRootCertificate, c *Check) {
	name, ok := RootSecret(root)
	if !ok {
		return
	}
	object, secret := s.object("Secret", name), s.Secrets[name]
	if secret == nil {
		c.fail(object, s.restart("osm-bootstrap"), "it does not exist: osm-bootstrap makes a new root, or you put your backup there")
		return
	}
	parsed, err := rootsecret.Parse(secret, s.Now)
	if domain := root.Spec.TrustDomain; err == nil && domain != "" {
		err = rootsecret.CheckNames(secret, domain, parsed.Certificate)
	}
	if refused := (*rootsecret.RefusedError)(nil); errors.As(err, &refused) {
		c.fail(object, fmt.Sprintf("%s: kubectl edit secret -n %s %s", refused.Mend, s.Namespace, name), "key %q: %s", refused.Key, refused.Problem)
		return
	}
	if known := s.trusted().Roots(); err == nil && len(known) > 0 && !contains(known, parsed.Certificate) {
		c.warn(object, s.logs("osm-controller"), "its root is not trusted yet: osm-controller has not begun to distribute it")
	}
}

// issuers tells what replicas say though they are ready: osm-controller, that an
// issuer is asked rarely because it fails, and osm-bootstrap, that a step fails.
func (s *Snapshot) issuers(c *Check) {
	for _, r := range s.Replicas {
		for _, warning := range r.Warnings {
			problem, remedy, found := strings.Cut(warning, "; to mend it, ")
			if !found {
				remedy = fmt.Sprintf("kubectl get mrc -n %s -o yaml", s.Namespace)
			}
			c.warn(s.object("Pod", r.Pod), remedy, "%s", problem)
		}
	}
}

// lifetimes checks when trusted roots end: the one that signs, above all.
func (s *Snapshot) lifetimes(c *Check) {
	state, err := s.state()
	if err != nil {
		return // trust says it
	}
	rotate := "osm ca rotate"
	for _, root := range state.Signing().Roots() {
		rest, life := root.NotAfter.Sub(s.Now), root.NotAfter.Sub(root.NotBefore)
		object := fmt.Sprintf("root %s", root.Subject)
		switch {
		case rest <= 0:
			c.fail(object, rotate, "it expired at %s", root.NotAfter.UTC().Format(time.RFC3339))
		case rest < min(endsNow, life/50):
			c.fail(object, rotate, "it signs, and expires in %s", left(rest))
		case rest < min(endsSoon, life/10):
			c.warn(object, rotate, "it signs, and expires in %s", left(rest))
		}
		c.Summary = fmt.Sprintf("%s signs and expires in %s, at %s", root.Subject, left(rest), root.NotAfter.UTC().Format(time.RFC3339))
	}
}

// state reads the record.
func (s *Snapshot) state() (trust.State, error) {
	if s.Record == nil {
		return trust.State{}, nil
	}
	return trust.Parse(s.Record.Data)
}

func contains(roots []*x509.Certificate, root *x509.Certificate) bool {
	for _, one := range roots {
		if one.Equal(root) {
			return true
		}
	}
	return false
}
