package main

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/vault/names"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	kindValue = "osm.certificateProvider.kind"

	// vaultTokenSecret is what the chart makes of osm.vault.token.
	vaultTokenSecret = "osm-vault-token"
)

// refusal is what is in the way of values, and how to fix it.
type refusal struct{ problem, fix string }

// refusals returns what would have a mesh end half-way, or be signed by another
// than the values say. Former is what it had before, nil if it is installed.
func (e *effects) refusals(ctx context.Context, c *cluster, values meshValues, given map[string]any, former *outcome) (all []refusal, err error) {
	root := e.inForce.signer()
	if root == nil {
		return nil, nil
	}
	all = append(all, e.otherDomain(values)...)
	if at(given, strings.Split(kindValue, ".")) != nil && values.Provider.Kind != kindOf(root.Spec.Provider) {
		all = append(all, refusal{
			fmt.Sprintf("%s is %s, and MeshRootCertificate %s is what signs, by %s: a mesh's provider is changed by another MeshRootCertificate", kindValue, values.Provider.Kind, root.Name, kindOf(root.Spec.Provider)),
			fmt.Sprintf("leave %s out, and create a MeshRootCertificate for %s while the mesh runs: see docs/meshrootcertificate.md; to begin anew instead, osm uninstall mesh --delete-ca", kindValue, values.Provider.Kind),
		})
	}
	all = append(all, e.otherRootSecret(values, former)...)
	vault, err := e.otherVault(ctx, c, former)
	return append(all, vault...), err
}

// otherDomain refuses a trust domain that no root of the mesh is of: no sidecar
// would accept both.
func (e *effects) otherDomain(values meshValues) []refusal {
	for _, root := range e.inForce.active {
		if root.Spec.TrustDomain == "" || root.Spec.TrustDomain == values.TrustDomain {
			return nil
		}
	}
	signer := e.inForce.signer()
	return []refusal{{
		fmt.Sprintf("osm.trustDomain is %s, and the mesh's is %s, as in MeshRootCertificate %s: pods that have certificates of the one would refuse those of the other", values.TrustDomain, signer.Spec.TrustDomain, signer.Name),
		fmt.Sprintf("--set osm.trustDomain=%s; for another trust domain, osm uninstall mesh --delete-ca, osm install with that, and restart all pods of the mesh", signer.Spec.TrustDomain),
	}}
}

// otherRootSecret refuses to look for the root where it is not.
func (e *effects) otherRootSecret(values meshValues, former *outcome) []refusal {
	provider := e.inForce.signer().Spec.Provider
	if former == nil || former.argument(bootstrapName, rootSecretFlag) == values.RootSecret {
		return nil
	}
	was := former.argument(bootstrapName, rootSecretFlag)
	switch {
	case provider.Tresor != nil && provider.Tresor.SecretRef.Name != values.RootSecret:
		was = provider.Tresor.SecretRef.Name
	case provider.CertManager != nil && provider.CertManager.RootsSecretRef == nil:
	case provider.Vault != nil && provider.Vault.RootsSecretRef == nil && provider.Vault.Plain():
	default:
		return nil
	}
	return []refusal{{
		fmt.Sprintf("osm.caBundleSecretName is %s, and the root of MeshRootCertificate %s is in Secret %s", values.RootSecret, e.inForce.signer().Name, was),
		"--set osm.caBundleSecretName=" + was,
	}}
}

// otherVault refuses to take the login away that Vault is asked with.
func (e *effects) otherVault(ctx context.Context, c *cluster, former *outcome) ([]refusal, error) {
	root := e.inForce.signer()
	vault := root.Spec.Provider.Vault
	if vault == nil {
		return nil, nil
	}
	allowed := e.outcome.argument(controllerName, "--vault-address=")
	if former != nil && former.argument(controllerName, "--vault-address=") == allowed && former.makes("Secret", vaultTokenSecret) == e.outcome.makes("Secret", vaultTokenSecret) {
		return nil, nil // it stays as it is
	}
	may, err := e.mayLogIn(ctx, c, *vault, allowed)
	if may || err != nil {
		return nil, err
	}
	return []refusal{{
		fmt.Sprintf("MeshRootCertificate %s has Vault at %s, where the mesh may not log in with these values", root.Name, vault.Address),
		"give osm.certificateProvider.kind=vault, osm.vault.protocol, host and port of that address, and the login of osm.vault that the mesh was installed with: token, secret or kubernetesAuth; to have Vault at another address, change spec.provider.vault.address of the MeshRootCertificate first",
	}}, nil
}

// mayLogIn tells whether osm-controller will send its login there, as it decides
// itself: to the address of the values, or to that of the Secret's annotation.
func (e *effects) mayLogIn(ctx context.Context, c *cluster, vault v1.Vault, allowed string) (bool, error) {
	token := vault.Auth.TokenSecretRef
	if token == nil {
		return names.Same(vault.Address, allowed), nil
	}
	if e.outcome.makes("Secret", token.Name) {
		return names.Same(vault.Address, allowed), nil
	}
	if token.Name == vaultTokenSecret {
		return false, nil // it leaves with the values
	}
	client, err := c.client()
	if err != nil {
		return false, err
	}
	secret, err := client.CoreV1().Secrets(c.meshNamespace).Get(ctx, token.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil // it is refused as missing, not for its address
	}
	if err != nil {
		return false, err
	}
	if named, annotated := secret.Annotations[v1.AnnotationVaultAddress]; annotated {
		return names.Same(named, vault.Address), nil
	}
	named := e.outcome.argument(controllerName, "--vault-token-secret=") == token.Name+"/"+token.Key
	return named && names.Same(vault.Address, allowed), nil
}
