package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/strvals"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/render"
)

// alternatives are values that the chart takes, and that are not its own.
var alternatives = map[string]any{
	"trustDomain": "prod.example", "clusterDomain": "k8s.example", "caBundleSecretName": "another", "webhookConfigNamePrefix": "another",
	"controllerLogLevel": "debug", "sidecarLogLevel": "debug", "sidecarImage": "example.test/pipy:2", "sidecarResources": map[string]any{"limits": map[string]any{"cpu": "2"}},
	"image.registry": "example.test", "image.tag": "2", "image.pullPolicy": "Always", "priorityClassName": "high",
	"image.digest.osmBootstrap": digest, "image.digest.osmInjector": digest, "image.digest.osmController": digest, "image.digest.osmInit": digest,
	"imagePullSecrets": []any{map[string]any{"name": "registry"}}, "controlPlaneTolerations": tolerations,
	"inboundPortExclusionList": []any{80}, "outboundPortExclusionList": []any{443}, "outboundIPRangeExclusionList": []any{"192.0.2.0/24"},
	"outboundIPRangeInclusionList": []any{"10.0.0.0/8"}, "networkInterfaceExclusionList": []any{"net1"},
	"certificateProvider.serviceCertValidityDuration": "1h", "certificateProvider.keyAlgorithm": "ed25519",
	"certificateProvider.certKeyBitSize": 3072, "certificateProvider.rotationDeadline": "7m",
	"vault.host": "vault.example", "vault.protocol": "http", "vault.mount": "other", "vault.role": "other", "vault.rootsSecret": "roots",
	"vault.caBundle": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
	"vault.token":    "s.another", "vault.secret.name": "login", "vault.secret.key": "token", "vault.kubernetesAuth.role": "osm", "vault.kubernetesAuth.mountPath": "k8s",
	"certmanager.issuerName": "other", "certmanager.issuerKind": "ClusterIssuer", "certmanager.issuerGroup": "example.test",
	"injector.sidecarPlacement": "container", "injector.interception": "none",
	"webhooks.clientCA": "a", "webhooks.clientNames": []any{"kube-apiserver"}, "networkPolicies.metricsNamespaces": someLabels, "networkPolicies.apiServerRanges": []any{"10.0.0.1/32"},
	"monitoring.labels": someLabels,
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var (
	tolerations = []any{map[string]any{"key": "dedicated", "operator": "Exists"}}
	someLabels  = map[string]any{"team": "platform"}
)

// alternative returns a value for what each component has, too.
func alternative(name string, value any) any {
	if a, has := alternatives[name]; has {
		return a
	}
	switch last := name[strings.LastIndex(name, ".")+1:]; last {
	case "podLabels", "nodeSelector":
		return someLabels
	case "affinity":
		return map[string]any{"nodeAffinity": map[string]any{}}
	case "tolerations":
		return tolerations
	case "cpu":
		return "70m"
	case "memory":
		return "99M"
	case "targetAverageUtilization":
		return 60
	}
	return other(value)
}

// full are values that make a MeshConfig that says everything.
var full = map[string]any{
	"controllerLogLevel": "info", "sidecarResources": map[string]any{"requests": map[string]any{"cpu": "0.5"}},
	"inboundPortExclusionList": []any{1}, "outboundPortExclusionList": []any{2}, "outboundIPRangeExclusionList": []any{"192.0.2.1/32"},
	"outboundIPRangeInclusionList": []any{"10.1.0.0/16"}, "networkInterfaceExclusionList": []any{"net7"},
}

// existing is what there is after an installation with these values, with images
// that were set in the MeshConfig afterwards.
func existing(t *testing.T, values map[string]any) inForce {
	t.Helper()
	made, err := newOutcome(render.Options{Namespace: "osm-system", Values: put(nil, []string{"osm"}, maps.Collect(maps.All(values)))})
	if err != nil {
		t.Fatal(err)
	}
	config, err := made.created(meshConfigKind)
	if err != nil {
		t.Fatal(err)
	}
	created, err := made.created(rootKind)
	if err != nil {
		t.Fatal(err)
	}
	root := v1.MeshRootCertificate{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(created, &root); err != nil {
		t.Fatal(err)
	}
	root.CreationTimestamp = metav1.Now()
	return inForce{config: &unstructured.Unstructured{Object: config}, active: []v1.MeshRootCertificate{root}}
}

const (
	useless    = "no effect"
	refused    = "refused"
	rootsField = rootKind + ".spec.provider."
)

// always is what comes of values whatever the provider: the rest takes effect.
func always() map[string]string {
	want := map[string]string{
		"trustDomain":        rootKind + ".spec.trustDomain",
		"controllerLogLevel": meshConfigKind + ".spec.observability.logLevel",
		"sidecarLogLevel":    meshConfigKind + ".spec.sidecar.logLevel", "sidecarImage": meshConfigKind + ".spec.sidecar.image",
		"sidecarResources": meshConfigKind + ".spec.sidecar.resources", "enablePrivilegedInitContainer": meshConfigKind + ".spec.sidecar.privilegedInitContainer",
		"image.registry": meshConfigKind + ".spec.sidecar.initImage", "image.tag": meshConfigKind + ".spec.sidecar.initImage", "image.digest.osmInit": meshConfigKind + ".spec.sidecar.initImage",
		"inboundPortExclusionList": meshConfigKind + ".spec.traffic.inboundPortExclusions", "outboundPortExclusionList": meshConfigKind + ".spec.traffic.outboundPortExclusions",
		"outboundIPRangeExclusionList": meshConfigKind + ".spec.traffic.outboundIPRangeExclusions", "outboundIPRangeInclusionList": meshConfigKind + ".spec.traffic.outboundIPRangeInclusions",
		"networkInterfaceExclusionList":                   meshConfigKind + ".spec.traffic.networkInterfaceExclusions",
		"certificateProvider.serviceCertValidityDuration": meshConfigKind + ".spec.certificate.serviceCertValidityDuration",
		"certificateProvider.keyAlgorithm":                meshConfigKind + ".spec.certificate.keyAlgorithm", "certificateProvider.certKeyBitSize": meshConfigKind + ".spec.certificate.keyAlgorithm",
		"webhooks.verifyClient": refused, "webhooks.clientCA": refused, "webhooks.clientNames": refused,
		"networkPolicies.metricsNamespaces": useless, "networkPolicies.apiServerRanges": useless,
	}
	for _, component := range []string{"osmBootstrap", "injector", "osmController"} {
		for _, value := range []string{"enablePodDisruptionBudget", "autoScale.minReplicas", "autoScale.maxReplicas", "autoScale.cpu.targetAverageUtilization", "autoScale.memory.targetAverageUtilization"} {
			want[component+"."+value] = useless // with one replica, and without an autoscaler
		}
	}
	want["monitoring.labels"] = useless
	return want
}

// TestEveryValueOfTheChartTakesEffectOrIsNamed walks the chart's values: what is
// not listed takes effect by the command that it is given to.
func TestEveryValueOfTheChartTakesEffectOrIsNamed(t *testing.T) {
	t.Parallel()
	const vaultsOwn, certManagersOwn = "vault.port vault.protocol vault.mount vault.role vault.caBundle vault.rootsSecret vault.token vault.secret.name vault.secret.key vault.kubernetesAuth.role vault.kubernetesAuth.mountPath",
		"certmanager.issuerName certmanager.issuerKind certmanager.issuerGroup"
	tests := map[string]struct {
		values  string // that the mesh was installed with, beside full
		want    map[string]string
		useless string // values of other providers
	}{
		"tresor": {"certificateProvider.kind=tresor", map[string]string{"caBundleSecretName": rootsField + "tresor.secretRef.name"}, vaultsOwn + " " + certManagersOwn},
		"vault": {"certificateProvider.kind=vault,vault.host=v.example,vault.kubernetesAuth.role=r", map[string]string{
			"vault.host": rootsField + "vault.address", "vault.port": rootsField + "vault.address", "vault.protocol": rootsField + "vault.address",
			"vault.mount": rootsField + "vault.mount", "vault.role": rootsField + "vault.role", "vault.caBundle": rootsField + "vault.caBundle", "vault.rootsSecret": rootsField + "vault.rootsSecretRef.name",
			"vault.kubernetesAuth.role": rootsField + "vault.auth.kubernetes.role", "vault.kubernetesAuth.mountPath": rootsField + "vault.auth.kubernetes.mountPath",
			"vault.token": refused, "vault.secret.name": refused, "vault.secret.key": refused,
		}, certManagersOwn},
		"cert-manager": {"certificateProvider.kind=cert-manager", map[string]string{
			"certmanager.issuerName": rootsField + "certManager.issuerRef.name", "certmanager.issuerKind": rootsField + "certManager.issuerRef.kind", "certmanager.issuerGroup": rootsField + "certManager.issuerRef.group",
		}, vaultsOwn},
	}
	chart, err := render.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := always()
			maps.Copy(want, test.want)
			for _, name := range strings.Fields(test.useless) {
				want[name] = useless
			}
			values := maps.Clone(full)
			for _, one := range strings.Split(test.values, ",") {
				if err := strvals.ParseInto(one, values); err != nil {
					t.Fatal(err)
				}
			}
			there := existing(t, values)
			for _, path := range leaves(nil, chart.Values) {
				name := strings.TrimPrefix(strings.Join(path, "."), "osm.")
				if name == "meshName" || name == "certificateProvider.kind" {
					continue // see TestWhatWouldLeaveAMeshHalfWayIsRefused
				}
				value := alternative(name, at(chart.Values, path))
				if got := resultOf(put(nil, path, value), put(map[string]any{"osm": values}, path, value), there); got != want[name] {
					t.Errorf("%s: %q, want %q", name, got, want[name])
				}
				delete(want, name)
			}
			for name := range want {
				t.Errorf("the chart has no value %s", name)
			}
		})
	}
}

// resultOf is empty for values that take effect.
func resultOf(given, all map[string]any, there inForce) string {
	e, err := newEffects("osm-system", given, all, there)
	switch {
	case err != nil:
		return refused
	case len(e.useless) > 0:
		return useless
	}
	return strings.Join(slices.Sorted(maps.Keys(e.overruled)), " ")
}

func TestValuesOfOsmEdgeAndOfHelmAreNamed(t *testing.T) {
	t.Parallel()
	for _, single := range []string{"osm.enableEgress=true", "osm.featureFlags.enableIngressBackendPolicy=true", "osm.image.name.osmCRDs=x", "smi.validateTrafficTarget=true", "fsm.enabled=true", "global.team=a", "enabled=false"} {
		given, err := (&values{singles: []string{single}}).merge()
		if err != nil {
			t.Fatal(err)
		}
		if got := resultOf(given, given, inForce{}); got != useless {
			t.Errorf("%s: %q, want %q", single, got, useless)
		}
	}
}

func TestAWarningSaysHowTheValueTakesEffect(t *testing.T) {
	t.Parallel()
	given, err := (&values{singles: []string{"osm.certificateProvider.serviceCertValidityDuration=1h", "osm.vault.mount=pki2"}}).merge()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEffects("osm-system", given, given, existing(t, full))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e.tell(newTerminal(&out))
	for _, want := range []string{
		"osm.certificateProvider.serviceCertValidityDuration: MeshConfig osm-mesh-config takes precedence, where spec.certificate.serviceCertValidityDuration is 24h",
		`kubectl patch meshconfig osm-mesh-config -n osm-system --type=merge -p '{"spec":{"certificate":{"serviceCertValidityDuration":"1h"}}}'`,
		"osm.vault.mount has no effect",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
}

// TestWhatWouldLeaveAMeshHalfWayIsRefused compares values with those that the mesh
// was installed with.
func TestWhatWouldLeaveAMeshHalfWayIsRefused(t *testing.T) {
	t.Parallel()
	const vault = "osm.certificateProvider.kind=vault,osm.vault.host=v.example,"
	const login, token = vault + "osm.vault.kubernetesAuth.role=r", vault + "osm.vault.token=t"
	const certManager = "osm.certificateProvider.kind=cert-manager"
	tests := map[string]struct{ was, given, problem, fix string }{
		"the same":                      {"", "osm.trustDomain=cluster.local", "", ""},
		"a trust domain":                {"", "osm.trustDomain=prod.example", "osm.trustDomain is prod.example, and the mesh's is cluster.local", "--set osm.trustDomain=cluster.local"},
		"a trust domain that is left":   {"osm.trustDomain=prod.example", "", "osm.trustDomain is cluster.local, and the mesh's is prod.example", "--set osm.trustDomain=prod.example"},
		"a provider":                    {"", login, "osm.certificateProvider.kind is vault, and MeshRootCertificate osm-mesh-root-certificate is what signs, by tresor", "create a MeshRootCertificate for vault"},
		"the first provider again":      {login, login[len("osm.certificateProvider.kind=vault,"):] + ",osm.certificateProvider.kind=tresor", "osm.certificateProvider.kind is tresor", "leave osm.certificateProvider.kind out"},
		"the root's Secret":             {"", "osm.caBundleSecretName=other", "osm.caBundleSecretName is other, and the root of MeshRootCertificate osm-mesh-root-certificate is in Secret osm-ca-bundle", "--set osm.caBundleSecretName=osm-ca-bundle"},
		"cert-manager's Secret":         {certManager, certManager + ",osm.caBundleSecretName=other", "is in Secret osm-ca-bundle", "--set osm.caBundleSecretName=osm-ca-bundle"},
		"Vault's address":               {login, login + ",osm.vault.port=8300", "has Vault at https://v.example:8200, where the mesh may not log in with these values", "change spec.provider.vault.address"},
		"Vault's address that is left":  {login, "", "where the mesh may not log in", "give osm.certificateProvider.kind=vault, osm.vault.protocol, host and port"},
		"Vault's token that is left":    {token, "", "where the mesh may not log in", "token"},
		"another token":                 {token, token + "2", "", ""},
		"another Secret, and not Vault": {login, login + ",osm.caBundleSecretName=other", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			was, given := valuesOf(t, test.was), valuesOf(t, test.given)
			osm, _ := was["osm"].(map[string]any)
			e, err := newEffects("osm-system", given, given, existing(t, osm))
			if err != nil {
				t.Fatal(err)
			}
			all, err := coalesce(given)
			if err != nil {
				t.Fatal(err)
			}
			former, err := newOutcome(render.Options{Namespace: "osm-system", Values: was})
			if err != nil {
				t.Fatal(err)
			}
			refusals, err := e.refusals(t.Context(), newCluster(), all, given, former)
			if err != nil {
				t.Fatal(err)
			}
			if test.problem == "" && len(refusals) == 0 {
				return
			}
			if len(refusals) != 1 || !strings.Contains(refusals[0].problem, test.problem) || !strings.Contains(refusals[0].fix, test.fix) {
				t.Errorf("%q, want %s; %s", refusals, test.problem, test.fix)
			}
		})
	}
}

func valuesOf(t *testing.T, singles string) map[string]any {
	t.Helper()
	given, err := (&values{singles: []string{singles}}).merge()
	if err != nil {
		t.Fatal(err)
	}
	return given
}
