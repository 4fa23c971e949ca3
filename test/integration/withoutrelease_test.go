//go:build cli

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/mesh"
)

func TestAMeshWithoutAReleaseIsTakenAway(t *testing.T) {
	testLifecycle(t, []step{
		{"applied by kubectl, it is said by whom and taken away whole", (*lifecycle).appliedByKubectl},
		{"what another tool manages is said and left, at once", (*lifecycle).managedByTools},
		{"of another release, it is said and left", (*lifecycle).ofAnotherRelease},
		{"whose namespace was deleted first, it is found, and can be installed again", (*lifecycle).namespaceFirst},
		{"whose webhook answers no more, it is taken away nevertheless", (*lifecycle).deadWebhook},
		{"that waits for a finalizer, it is said of which object", (*lifecycle).finalizer},
		{"another mesh's objects stay", (*lifecycle).anotherMesh},
	})
}

// apply applies the chart as GitOps tools do.
func (l *lifecycle) apply(t *testing.T, values ...string) {
	t.Helper()
	args := []string{"template", "osm", chart, "--include-crds"}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	file := filepath.Join(l.cluster.LogDir(), "mesh.yaml") // kubectl splits names at the commas that a test's own directory has
	if err := os.WriteFile(file, []byte(l.helm(t, args...)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := l.kubectl(t, "get", "namespace", mesh.Namespace, "--ignore-not-found"); out == "" {
		l.kubectl(t, "create", "namespace", mesh.Namespace)
	}
	l.kubectl(t, "apply", "-f", file)
	l.await(t)
}

func (l *lifecycle) await(t *testing.T) {
	t.Helper()
	for _, name := range mesh.Components {
		l.kubectl(t, "rollout", "status", "deployment/"+name, "--timeout=60s")
	}
}

// atOnce fails the test if the command takes long.
func atOnce(t *testing.T, what func()) {
	t.Helper()
	began := time.Now()
	what()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

// gone fails the test if anything of the mesh is left, and deletes its namespace,
// which osm does where it made it.
func (l *lifecycle) gone(t *testing.T) {
	t.Helper()
	l.noObjectIsLeft(t)
	l.kubectl(t, "delete", "namespace", mesh.Namespace, "--ignore-not-found")
}

func (l *lifecycle) appliedByKubectl(t *testing.T) {
	l.apply(t)
	atOnce(t, func() {
		l.refused(t, []string{"upgrade"}, "mesh osm in namespace osm-system has no Helm release", "kubectl apply")
	})
	l.refused(t, []string{"install"}, "namespace osm-system", "osm uninstall mesh")
	before := l.root(t)
	out := l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
	says(t, out, "MutatingWebhookConfiguration osm-webhook-osm is deleted", "Deployment osm-system/osm-controller is deleted", "--delete-ca")
	l.osm(t, "install", patientLimit)
	if !l.root(t).Equal(before) {
		t.Error("the mesh came back with another root")
	}
	l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca", patientLimit)
	l.gone(t)

	l.apply(t)
	if err := mesh.Join(t.Context(), l.client, "shop"); err != nil {
		t.Fatal(err)
	}
	out = l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca", patientLimit)
	says(t, out, "Secret osm-system/osm-ca-bundle is deleted", "ClusterRole osm-controller-osm is deleted", "CustomResourceDefinition meshconfigs.config.openservicemesh.io is deleted")
	l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca", patientLimit)
	l.gone(t)
}

func (l *lifecycle) managedByTools(t *testing.T) {
	const kinds = "deployment,service,serviceaccount,configmap,role,rolebinding,clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration"
	l.apply(t)
	for name, test := range map[string]struct{ verb, mark, unmark, says string }{
		"Argo CD":              {"annotate", "argocd.argoproj.io/tracking-id=mesh-prod:apps/Deployment:osm-system/osm", "argocd.argoproj.io/tracking-id-", "Argo CD's Application mesh-prod"},
		"Argo CD, by a label":  {"label", "argocd.argoproj.io/instance=mesh-prod", "argocd.argoproj.io/instance-", "Argo CD's Application mesh-prod"},
		"Argo CD, by default":  {"label", "app.kubernetes.io/instance=mesh-prod", "app.kubernetes.io/instance=osm", "app.kubernetes.io/instance"},
		"Flux' Kustomization":  {"label", "kustomize.toolkit.fluxcd.io/name=apps", "kustomize.toolkit.fluxcd.io/name-", "Flux' Kustomization apps"},
		"Flux' HelmRelease":    {"label", "helm.toolkit.fluxcd.io/name=osm", "helm.toolkit.fluxcd.io/name-", "Flux' HelmRelease osm"},
		"an unheard-of manage": {"label", "app.kubernetes.io/managed-by=Pulumi", "app.kubernetes.io/managed-by-", "Pulumi"},
	} {
		t.Run(name, func(t *testing.T) {
			l.kubectl(t, test.verb, kinds, test.mark, "--overwrite", "-l", "app.kubernetes.io/name=openservicemesh.io")
			before := l.kubectl(t, "get", kinds, "-o", "name", "-l", "app.kubernetes.io/name=openservicemesh.io")
			atOnce(t, func() {
				l.refused(t, []string{"uninstall", "mesh", "--delete-ca", "--yes"}, test.says)
				l.refused(t, []string{"upgrade"}, test.says)
			})
			if after := l.kubectl(t, "get", kinds, "-o", "name", "-l", "app.kubernetes.io/name=openservicemesh.io"); after != before {
				t.Errorf("there are\n%s", after)
			}
			l.root(t)
			l.kubectl(t, test.verb, kinds, test.unmark, "--overwrite", "-l", "app.kubernetes.io/name=openservicemesh.io")
		})
	}
	t.Run("a webhook alone, which would refuse all pods", func(t *testing.T) {
		const webhook, mark = "mutatingwebhookconfiguration/osm-webhook-osm", "argocd.argoproj.io/tracking-id"
		l.kubectl(t, "annotate", webhook, mark+"=mesh-prod:x")
		l.refused(t, []string{"uninstall", "mesh", "--yes"}, "Argo CD's Application mesh-prod")
		l.kubectl(t, "annotate", webhook, mark+"-")
	})
	l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca", patientLimit)
	l.gone(t)
}

func (l *lifecycle) ofAnotherRelease(t *testing.T) {
	l.helm(t, "install", "platform", chart, "--create-namespace", "--wait")
	atOnce(t, func() {
		l.refused(t, []string{"uninstall", "mesh", "--yes"}, "Helm release platform", "helm uninstall platform -n osm-system")
		l.refused(t, []string{"upgrade"}, "Helm release platform", "helm upgrade platform")
	})
	l.helm(t, "uninstall", "platform", "--wait")
	out := l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca", patientLimit)
	says(t, out, "Secret osm-system/osm-ca-bundle is deleted")
	l.kubectl(t, "delete", "namespace", mesh.Namespace, "--ignore-not-found")
}

func (l *lifecycle) namespaceFirst(t *testing.T) {
	l.osm(t, "install", patientLimit)
	if err := mesh.Join(t.Context(), l.client, "first"); err != nil {
		t.Fatal(err)
	}
	l.kubectl(t, "delete", "namespace", mesh.Namespace)
	out := l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	says(t, out, "ValidatingWebhookConfiguration osm-validator-mesh-osm is deleted", "MutatingWebhookConfiguration osm-webhook-osm is deleted", "CustomResourceDefinition")
	l.nothingIsLeft(t)
	l.osm(t, "install", patientLimit)
	l.kubectl(t, "delete", "namespace", mesh.Namespace)
	l.osm(t, "install", patientLimit) // which takes over what is left
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func (l *lifecycle) deadWebhook(t *testing.T) {
	l.osm(t, "install", patientLimit)
	l.kubectl(t, "delete", "deployment", "--all")
	l.kubectl(t, "delete", "secret", "-l", "owner=helm")
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func (l *lifecycle) finalizer(t *testing.T) {
	l.osm(t, "install", patientLimit)
	l.kubectl(t, "patch", "meshconfig", "osm-mesh-config", "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/stuck"]}}`)
	l.refused(t, []string{"uninstall", "mesh", "--delete-ca", "--yes", "--timeout=20s"}, "MeshConfig osm-system/osm-mesh-config", "example.com/stuck", "kubectl patch")
	l.kubectl(t, "patch", "meshconfig.v1.config.openservicemesh.io", "osm-mesh-config", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func (l *lifecycle) anotherMesh(t *testing.T) {
	l.osm(t, "install", patientLimit)
	l.kubectl(t, "create", "namespace", "second")
	l.osm(t, "install", patientLimit, "--mesh-name", "second", "--osm-namespace", "second")
	of := func() string {
		return l.kubectl(t, "get", "deployment,service,serviceaccount,secret,configmap,role,rolebinding,clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration", "-A", "-o", "name", "-l", "app.kubernetes.io/instance=second")
	}
	before := of()
	l.kubectl(t, "delete", "namespace", mesh.Namespace)
	out := l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	says(t, out, "the definitions stay for the mesh in namespace second")
	if after := of(); after != before || !strings.Contains(l.kubectl(t, "get", "crd", "-o", "name"), "meshrootcertificates") {
		t.Errorf("of the other mesh there is\n%s\nwant\n%s", after, before)
	}
	l.refused(t, []string{"uninstall", "mesh", "--delete-ca", "--yes", "--osm-namespace", "second"}, "namespace second has a mesh that is not osm")
	l.refused(t, []string{"uninstall", "mesh", "--yes", "--mesh-name", "second"}, "mesh second is in namespace second")
}
