package check

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// authority checks one MeshRootCertificate, and the Secret that it stands on.
func (s *Snapshot) authority(root *v1.MeshRootCertificate, c *Check) {
	object := s.object("MeshRootCertificate", root.Name)
	s.rootSecret(root, c)
	s.plainVault(root, c)
	switch ready := meta.FindStatusCondition(root.Status.Conditions, v1.ConditionReady); {
	case ready == nil || root.Status.ObservedGeneration != root.Generation:
		c.warn(object, s.logs("osm-controller"), "osm-controller has not taken notice of it yet")
	case ready.Status != metav1.ConditionTrue:
		problem, fix := s.cannotBeUsed(root, ready)
		c.fail(object, fix, "it cannot be used (%s): %s", ready.Reason, problem)
	case ready.Reason == v1.ReasonRootsLeftOut, ready.Reason == v1.ReasonTokenEnds, ready.Reason == v1.ReasonLifetimesShortened:
		c.warn(object, s.attend(root, ready.Reason), "%s", ready.Message)
	case ready.Reason == v1.ReasonRootsRefused:
		c.warn(object, "if no one of yours added them, delete those issuers in Vault, and see who may add roots: kubectl get events -n "+s.Namespace+" --field-selector reason=RootRefused", "%s", ready.Message)
	}
}

// plainVault warns of a login that the network can read.
func (s *Snapshot) plainVault(root *v1.MeshRootCertificate, c *Check) {
	if vault := root.Spec.Provider.Vault; vault != nil && vault.Plain() {
		c.warn(s.object("MeshRootCertificate", root.Name), fmt.Sprintf("have Vault serve TLS, and spec.provider.vault.address begin with https: kubectl edit mrc -n %s %s", s.Namespace, root.Name),
			"Vault is asked over http at %s: anyone on the way reads the mesh's login, and can have certificates signed for any name", vault.Address)
	}
}

// cannotBeUsed divides what a status says into what is wrong and what to do. A
// message that does not say what to do is of the provider's.
func (s *Snapshot) cannotBeUsed(root *v1.MeshRootCertificate, ready *metav1.Condition) (problem, fix string) {
	problem, fix, told := strings.Cut(ready.Message, issuer.ToFix)
	switch p := root.Spec.Provider; {
	case told && !strings.Contains(fix, "kubectl "):
		return problem, fix + ": " + s.describe(root)
	case told:
		return problem, fix
	case p.Tresor != nil && ready.Reason == v1.ReasonSecretMissing:
		return problem, s.restart("osm-bootstrap")
	case ready.Reason == v1.ReasonUnreachable && p.Vault != nil:
		return problem, fmt.Sprintf("see that Vault answers at %s and is unsealed, and that no network policy is in between: %s", p.Vault.Address, s.describe(root))
	case ready.Reason == v1.ReasonUnreachable:
		return problem, s.logs("osm-controller")
	case ready.Reason == v1.ReasonSecretMissing && p.Vault != nil && p.Vault.Auth.TokenSecretRef != nil:
		ref := p.Vault.Auth.TokenSecretRef
		return problem, fmt.Sprintf("create it from a file with the token, and annotate it with the address it may be sent to: kubectl create secret generic %s -n %s --from-file=%s && kubectl annotate secret -n %[2]s %[1]s %[4]s=%[5]s",
			ref.Name, s.Namespace, ref.Key, v1.AnnotationVaultAddress, p.Vault.Address)
	case ready.Reason == v1.ReasonRefused:
		return problem, fmt.Sprintf("correct it as the message describes: kubectl edit mrc -n %s %s", s.Namespace, root.Name)
	case p.Vault != nil:
		return problem, fmt.Sprintf("change in Vault what the message names, and the mesh tries again by itself: %s", s.describe(root))
	}
	return problem, s.describe(root)
}

// attend is what to do about an authority that can be used and needs attention.
func (s *Snapshot) attend(root *v1.MeshRootCertificate, reason string) string {
	p := root.Spec.Provider
	switch {
	case reason == v1.ReasonTokenEnds && p.Vault != nil && p.Vault.Auth.TokenSecretRef != nil:
		ref := p.Vault.Auth.TokenSecretRef
		return fmt.Sprintf("write a token of its policy and with a period, of vault token create -orphan -period=24h, into the file %s: kubectl create secret generic %s -n %s --from-file=%[1]s --dry-run=client -o yaml | kubectl apply -f -", ref.Key, ref.Name, s.Namespace)
	case reason == v1.ReasonLifetimesShortened && p.Vault != nil:
		return fmt.Sprintf("vault patch %s/roles/%s max_ttl=24h, or the lifetime that the mesh asks for, and vault secrets tune -max-lease-ttl=87600h %[1]s", cmp.Or(p.Vault.Mount, "pki"), p.Vault.Role)
	}
	return fmt.Sprintf("kubectl describe mrc -n %s %s", s.Namespace, root.Name)
}

// describe shows what signs for an authority, or the authority itself.
func (s *Snapshot) describe(root *v1.MeshRootCertificate) string {
	if p := root.Spec.Provider.CertManager; p != nil {
		return fmt.Sprintf("kubectl describe %s.%s -n %s %s", cmp.Or(p.IssuerRef.Kind, "Issuer"), cmp.Or(p.IssuerRef.Group, "cert-manager.io"), s.Namespace, p.IssuerRef.Name)
	}
	return fmt.Sprintf("kubectl describe mrc -n %s %s", s.Namespace, root.Name)
}
