package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const certManagerGroup = "cert-manager.io"

// authority looks for what the one that is to sign needs.
func (p *preflight) authority(ctx context.Context) error {
	before := len(p.problems)
	provider, err := p.effects.provider()
	switch {
	case err != nil:
	case provider.Vault != nil:
		err = errors.Join(p.vault(ctx, *provider.Vault), p.vaultRoots(ctx, *provider.Vault))
	case provider.CertManager != nil:
		err = errors.Join(p.roots(ctx, provider.CertManager.RootsSecret(p.values.RootSecret)), p.issuer(ctx, provider.CertManager.IssuerRef))
	default:
		err = p.root(ctx, provider.Tresor.SecretRef.Name)
	}
	if err == nil && len(p.problems) == before {
		p.out.say(done, "%s can sign, as far as the cluster shows", kindOf(provider))
	}
	return err
}

func (p *preflight) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret, err := p.client.CoreV1().Secrets(p.cluster.meshNamespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return secret, err
}

// root refuses one that is there and that osm-bootstrap would refuse.
func (p *preflight) root(ctx context.Context, name string) error {
	secret, err := p.secret(ctx, name)
	if err != nil || secret == nil {
		return err
	}
	root, err := rootsecret.Parse(secret, time.Now())
	p.ignored(secret)
	if err == nil {
		err = rootsecret.CheckNames(secret, p.values.TrustDomain, root.Certificate)
	}
	return p.refused(err)
}

// roots demands those that the chains of an authority outside of the mesh end
// with.
func (p *preflight) roots(ctx context.Context, name string) error {
	secret, err := p.secret(ctx, name)
	if err != nil {
		return err
	}
	if secret == nil {
		err = rootsecret.Missing(p.cluster.meshNamespace, name)
	} else {
		err = p.checkRoots(secret)
	}
	return p.refused(err)
}

func (p *preflight) checkRoots(secret *corev1.Secret) error {
	_, err := rootsecret.ParseRoots(secret, p.values.TrustDomain, time.Now())
	p.ignored(secret)
	return err
}

// ignored says what is passed over in the Secret of a root.
func (p *preflight) ignored(secret *corev1.Secret) {
	if ignored := rootsecret.Ignored(secret); ignored != "" {
		p.out.say(done, "secret %s/%s is used without what is ignored: %s", secret.Namespace, secret.Name, ignored)
	}
}

// refused notes what is wrong with the Secret of a root. Other errors it returns.
func (p *preflight) refused(err error) error {
	if refused, ok := errors.AsType[*rootsecret.RefusedError](err); ok {
		p.refuse(refused.Fix, "%s", refused.Refusal())
		return nil
	}
	return err
}

func (p *preflight) vault(ctx context.Context, vault v1.Vault) error {
	ref := vault.Auth.TokenSecretRef
	if ref == nil || p.effects.outcome.makes("Secret", ref.Name) {
		return nil // the chart has seen to the other ways to log in
	}
	secret, err := p.secret(ctx, ref.Name)
	if err != nil {
		return err
	}
	create := fmt.Sprintf("kubectl create secret generic %s -n %s --from-file=%s", ref.Name, p.cluster.meshNamespace, ref.Key)
	switch {
	case secret == nil:
		p.refuse(create, "Secret %s/%s, which is to hold Vault's token, does not exist", p.cluster.meshNamespace, ref.Name)
	case len(secret.Data[ref.Key]) == 0:
		p.refuse("kubectl delete secret "+ref.Name+" -n "+p.cluster.meshNamespace+" && "+create,
			"Secret %s/%s has no key %q, which is to hold Vault's token", p.cluster.meshNamespace, ref.Name, ref.Key)
	}
	return nil
}

// vaultRoots demands those of Vault, where what Vault says of them is not
// believed, and warns of what the network can read.
func (p *preflight) vaultRoots(ctx context.Context, vault v1.Vault) error {
	if vault.Plain() {
		p.out.say(beware, "Vault is asked over http: anyone on the way reads the token, and can have certificates signed for any name\n    to change it: --set osm.vault.protocol=https")
	}
	if name, given := vault.RootsSecret(p.values.RootSecret); given {
		return p.roots(ctx, name)
	}
	return nil
}

// issuer looks whether cert-manager is there and the issuer ready. One of
// another group may be of any form.
func (p *preflight) issuer(ctx context.Context, ref v1.IssuerReference) error {
	config, err := p.cluster.config()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = p.client.Discovery().ServerResourcesForGroupVersion(certManagerGroup + "/v1")
	if apierrors.IsNotFound(err) {
		p.refuse("install cert-manager: https://cert-manager.io/docs/installation", "cert-manager is not installed")
		return nil
	}
	if err != nil || ref.Group != certManagerGroup {
		return err
	}
	resource, namespace := "issuers", p.cluster.meshNamespace
	if ref.Kind == "ClusterIssuer" {
		resource, namespace = "clusterissuers", ""
	}
	found, err := client.Resource(schema.GroupVersionResource{Group: certManagerGroup, Version: "v1", Resource: resource}).
		Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		p.refuse("create it, or name another "+p.otherIssuer(), "%s %s does not exist%s", ref.Kind, ref.Name, inThe(namespace))
	case err != nil && !meta.IsNoMatchError(err):
		return err
	default:
		if ready, why := readyCondition(found); !ready {
			p.refuse(fmt.Sprintf("kubectl describe %s %s%s", strings.ToLower(ref.Kind), ref.Name, inNamespace(namespace)), "%s %s is not ready: %s", ref.Kind, ref.Name, why)
		}
	}
	return nil
}

// otherIssuer says where one is named.
func (p *preflight) otherIssuer() string {
	if root := p.effects.inForce.signer(); root != nil {
		return fmt.Sprintf("in spec.provider.certManager.issuerRef of MeshRootCertificate %s", root.Name)
	}
	return "with --set osm.certmanager.issuerName"
}

// inThe names the namespace of an object, if it is in one.
func inThe(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " in namespace " + namespace
}

func readyCondition(object *unstructured.Unstructured) (ready bool, why string) {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions") // none is not ready
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Ready" {
			message, _ := condition["message"].(string)
			return condition["status"] == "True", message
		}
	}
	return false, "cert-manager has not reported on it"
}
