package layers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

// field is one that several layers check.
type field struct {
	kind  string
	known []string // values to try
	parts []string // that others are made of
	spec  func(value string) map[string]any
	runs  func(t *testing.T, object *unstructured.Unstructured) error // as osm-controller takes it
	chart func(value string) map[string]any                           // the values; nil without
}

func (f field) values(random *rand.Rand) []string {
	values := f.known
	for range rounds {
		var value strings.Builder
		for range 1 + random.IntN(5) {
			value.WriteString(f.parts[random.IntN(len(f.parts))])
		}
		values = append(values, value.String())
	}
	return values
}

var (
	pathParts    = []string{"pki", "a", "B", "@", "-", ".", "..", "/", "//", " ", "%2f", "?", "#", "\\", "é", "日", "_", "+", "*", "~", "\u200b", "\u00a0", "\t", strings.Repeat("x", 130)}
	nameParts    = []string{"a", "b-c", "0", "-", ".", "..", "_", "A", "/", " ", "@", "é", strings.Repeat("x", 130)}
	addressParts = []string{"https://", "http://", "HTTPS://", "ftp://", "vault", "vault.svc", ".", ":8200", ":0", ":65536", ":", "[fd00::1]", "[:::]", "fd00::1", "/", "/v1", "/ui", "/a@b", "/..", "//", "?x", "#x", "u:p@", "127.0.0.1", "256.1.1.1", " ", "%41", "_", "-", strings.Repeat("y", 300)}
	// durations are told by what Go makes of them.
	durationParts = []string{"1", "24", "87600", "59", "0", ".5", ".", "h", "m", "s", "ms", "ns", "µs", "us", "d", "-", "+", " ", "9999999"}
)

func fields() map[string]field {
	withVault := func(more map[string]any) map[string]any {
		values := map[string]any{"host": "vault", "kubernetesAuth": map[string]any{"role": "osm"}}
		for key, value := range more {
			values[key] = value
		}
		return map[string]any{"certificateProvider": map[string]any{"kind": "vault"}, "vault": values}
	}
	issuerOf := func(key string) func(string) map[string]any {
		return func(value string) map[string]any {
			return map[string]any{"certificateProvider": map[string]any{"kind": "cert-manager"}, "certmanager": map[string]any{key: value}}
		}
	}
	root := func(path string) func(string) map[string]any {
		return func(value string) map[string]any { return rootWith(path, value) }
	}
	const kind = "MeshRootCertificate"
	return map[string]field{
		"the address of Vault": {kind: kind, parts: addressParts, spec: root("address"), runs: runVault,
			known: []string{"https://vault:8200", "https://vault:8200/", "https://proxy/team/vault", "vault:8200", "https://[fd00::1]:8200", "https://[fd00::1]", "https://vault:8200/v1"}},
		"a mount": {kind: kind, parts: pathParts, spec: root("mount"), runs: runVault, known: []string{"team@x/pki", "-pki", "pki/", "/pki", "/", "..", "ns1/pki"},
			chart: func(v string) map[string]any { return withVault(map[string]any{"mount": v}) }},
		"a role": {kind: kind, parts: nameParts, spec: root("role"), runs: runVault, known: []string{"openservicemesh", "a/b", "a@b", "A_b"},
			chart: func(v string) map[string]any { return withVault(map[string]any{"role": v}) }},
		"a role to log in with": {kind: kind, parts: nameParts, known: []string{"osm"}, spec: root("auth.kubernetes.role"), runs: runVault,
			chart: func(v string) map[string]any {
				return withVault(map[string]any{"kubernetesAuth": map[string]any{"role": v}})
			}},
		"a mount to log in at": {kind: kind, parts: pathParts, known: []string{"kubernetes"}, spec: root("auth.kubernetes.mountPath"), runs: runVault,
			chart: func(v string) map[string]any {
				return withVault(map[string]any{"kubernetesAuth": map[string]any{"role": "osm", "mountPath": v}})
			}},
		"a Secret of roots": {kind: kind, parts: nameParts, known: []string{"roots"}, spec: root("rootsSecretRef.name"), runs: runSecret("vault", "rootsSecretRef", "name"),
			chart: func(v string) map[string]any { return withVault(map[string]any{"rootsSecret": v}) }},
		"a Secret of a token": {kind: kind, parts: nameParts, known: []string{"osm-vault-token"}, spec: token("name"), runs: runSecret("vault", "auth", "tokenSecretRef", "name"),
			chart: func(v string) map[string]any {
				return withVault(map[string]any{"kubernetesAuth": map[string]any{"role": ""}, "secret": map[string]any{"name": v, "key": "k"}})
			}},
		"a key of a token": {kind: kind, parts: nameParts, spec: token("key"), runs: runKey, known: []string{".", "..", "..a", ".a", "a..b"},
			chart: func(v string) map[string]any {
				return withVault(map[string]any{"kubernetesAuth": map[string]any{"role": ""}, "secret": map[string]any{"name": "s", "key": v}})
			}},
		"the name of an issuer": {kind: kind, parts: nameParts, known: []string{"osm-ca"}, spec: issuerWith("name"), runs: runSecret("certManager", "issuerRef", "name"), chart: issuerOf("issuerName")},
		"the group of an issuer": {kind: kind, parts: nameParts, spec: issuerWith("group"), runs: runSecret("certManager", "issuerRef", "group"), known: []string{"cert-manager.io", "certmanager.step.sm"},
			chart: issuerOf("issuerGroup")},
		"the kind of an issuer": {kind: kind, parts: []string{"Issuer", "Cluster", "Step", "x", "1", "-", " "}, spec: issuerWith("kind"), runs: runIssuer, known: []string{"Issuer", "ClusterIssuer", "StepIssuer", "issuer"},
			chart: issuerOf("issuerKind")},
		"the trust domain": {kind: kind, parts: nameParts, spec: trustDomain, runs: runTrustDomain, known: []string{"cluster.local", "a..b", ".a", "a.", "A", "_", "spiffe://a"},
			chart: func(v string) map[string]any { return map[string]any{"trustDomain": v} }},
		"a lifetime": {kind: "MeshConfig", parts: durationParts, spec: configWith, runs: runConfig, known: []string{"24h", "1m", "59.9s", "60s", "87600h", "87600h1ns", "1h30m", "1.5h", ".5h", "1.h", "0", "99999999999h", "+1h", "-1h", "60000000µs"},
			chart: func(v string) map[string]any {
				return map[string]any{"certificateProvider": map[string]any{"serviceCertValidityDuration": v}}
			}},
	}
}

// rootWith is a Vault with one value set, by its path below vault.
func rootWith(path, value string) map[string]any {
	v := map[string]any{"address": "https://vault:8200", "role": "osm", "auth": map[string]any{"kubernetes": map[string]any{"role": "osm"}}}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	must(unstructured.SetNestedField(v, value, strings.Split(path, ".")...))
	return map[string]any{"role": "Active", "provider": map[string]any{"vault": v}}
}

func token(key string) func(string) map[string]any {
	return func(value string) map[string]any {
		ref := map[string]any{"name": "s", "key": "k"}
		ref[key] = value
		return map[string]any{"role": "Active", "provider": map[string]any{"vault": map[string]any{
			"address": "https://vault:8200", "role": "osm", "auth": map[string]any{"tokenSecretRef": ref},
		}}}
	}
}

func issuerWith(key string) func(string) map[string]any {
	return func(value string) map[string]any {
		ref := map[string]any{"name": "osm-ca"}
		ref[key] = value
		return map[string]any{"role": "Active", "provider": map[string]any{"certManager": map[string]any{"issuerRef": ref}}}
	}
}

func trustDomain(value string) map[string]any {
	return map[string]any{"trustDomain": value, "role": "Active", "provider": map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": "osm-ca-bundle"}}}}
}

func configWith(validity string) map[string]any {
	return map[string]any{"certificate": map[string]any{"serviceCertValidityDuration": validity}}
}

func rootOf(t *testing.T, object *unstructured.Unstructured) v1.MeshRootCertificateSpec {
	t.Helper()
	data, err := json.Marshal(object.Object)
	must(t, err)
	root := &v1.MeshRootCertificate{}
	must(t, json.Unmarshal(data, root))
	return root.Spec
}

// runVault makes the client of Vault that osm-controller does.
func runVault(t *testing.T, object *unstructured.Unstructured) error {
	v := rootOf(t, object).Provider.Vault
	_, err := vault.New(vault.Options{
		Address: v.Address, Mount: v.Mount, Role: v.Role,
		Given:       func(context.Context) (issuer.TrustBundle, error) { return issuer.TrustBundle{}, nil },
		Credentials: vault.Kubernetes{Mount: v.Auth.Kubernetes.MountPath, Role: v.Auth.Kubernetes.Role},
	})
	return err
}

// runSecret holds a name to what the API server takes for one.
func runSecret(path ...string) func(*testing.T, *unstructured.Unstructured) error {
	return func(t *testing.T, object *unstructured.Unstructured) error {
		name, _, err := unstructured.NestedString(object.Object, append([]string{"spec", "provider"}, path...)...)
		must(t, err)
		return joined(validation.IsDNS1123Subdomain(name))
	}
}

func runKey(t *testing.T, object *unstructured.Unstructured) error {
	return joined(validation.IsConfigMapKey(rootOf(t, object).Provider.Vault.Auth.TokenSecretRef.Key))
}

func joined(problems []string) error {
	if len(problems) > 0 {
		return fmt.Errorf("%s", problems[0])
	}
	return nil
}

func runIssuer(t *testing.T, object *unstructured.Unstructured) error {
	ref := rootOf(t, object).Provider.CertManager.IssuerRef
	client, err := certmanager.NewClient(&rest.Config{})
	must(t, err)
	_, err = certmanager.New(certmanager.Options{
		Client: client, Namespace: namespace, Mesh: "osm", Holder: "test",
		Issuer: certmanager.Reference{Name: ref.Name, Kind: ref.Kind, Group: ref.Group},
		Roots:  func(context.Context) (issuer.TrustBundle, error) { return issuer.TrustBundle{}, nil },
	})
	return err
}

func runTrustDomain(t *testing.T, object *unstructured.Unstructured) error {
	return identity.CheckTrustDomain(rootOf(t, object).TrustDomain)
}

func runConfig(t *testing.T, object *unstructured.Unstructured) error {
	data, err := json.Marshal(object.Object)
	must(t, err)
	_, err = validate.ReadMeshConfig(data)
	return err
}
