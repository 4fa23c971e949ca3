package check

import (
	"cmp"
	"crypto/x509"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// Replacement is how the root of an authority is replaced that the mesh did not
// make; empty of one that osm ca rotate replaces.
func (s *Snapshot) Replacement(root *v1.MeshRootCertificate) string {
	switch p := root.Spec.Provider; {
	case p.Vault != nil:
		replace := fmt.Sprintf("have Vault make another, by vault write %[1]s/root/rotate/internal common_name=osm.root ttl=87600h key_type=ec key_bits=256 not_before_duration=5m, and sign with it, by vault write %[1]s/root/replace default=next",
			cmp.Or(p.Vault.Mount, "pki"))
		if name, given := p.Vault.RootsSecret(s.rootSecretName()); given {
			return fmt.Sprintf("%s, when %s shows that it is trusted; before it signs, add it to ca.crt of Secret %s/%s, beside the old one: %s",
				replace, s.Command("ca show", false), s.Namespace, name, s.put(name, rootsecret.CertificateKey))
		}
		return replace + ": the mesh trusts it first, and takes certificates of it then"
	case p.CertManager != nil:
		name := p.CertManager.RootsSecret(s.rootSecretName())
		return fmt.Sprintf("add the new root to ca.crt of Secret %s/%s, beside the old one, and have cert-manager's %s %s use it when %s shows that it is trusted: %s",
			s.Namespace, name, p.CertManager.IssuerRef.Kind, p.CertManager.IssuerRef.Name, s.Command("ca show", false), s.put(name, rootsecret.CertificateKey))
	}
	name, _ := RootSecret(root)
	if secret := s.Secrets[name]; secret != nil && (s.Foreign[name] || !manifests.Owned(s.Mesh).Matches(labels.Set(secret.Labels))) {
		return "put the next root there: " + s.put(name, rootsecret.CertificateKey, rootsecret.PrivateKeyKey)
	}
	return ""
}

// put replaces a Secret by one with these keys, from files of their names.
func (s *Snapshot) put(secret string, keys ...string) string {
	command := fmt.Sprintf("kubectl create secret generic %s -n %s", secret, s.Namespace)
	for _, key := range keys {
		command += " --from-file=" + key
	}
	return command + " --dry-run=client -o yaml | kubectl replace -f -"
}

func (s *Snapshot) rootSecretName() string { return cmp.Or(s.RootSecret, "osm-ca-bundle") }

// replaceRoot is what to do about a root that signs and ends.
func (s *Snapshot) replaceRoot(state rotation.State, certificate *x509.Certificate) string {
	if step, _ := state.Step(); step == rotation.Distribute || step == rotation.Sign {
		return "another one is about to replace it: " + s.Command("ca show", false)
	}
	root := s.named(state.Source(certificate))
	if root == nil {
		root = v1.NewestActive(s.Roots)
	}
	if root != nil {
		if other := s.Replacement(root); other != "" {
			return other
		}
		if refused := s.refusal(root); refused != nil { // by osm ca rotate, too
			return fmt.Sprintf("osm-bootstrap makes another: kubectl delete secret -n %s %s", s.Namespace, refused.Name)
		}
	}
	return s.Command("ca rotate", false)
}
