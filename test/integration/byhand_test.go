//go:build cli

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

const chart = "../../manifests/chart"

// helmBinary builds the Helm that the mesh uses, its command line and all: test/tools has the same version.
var helmBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(bin, "helm")
	out, err := exec.Command("go", "build", "-modfile=../tools/go.mod", "-trimpath", "-ldflags=-s -w", "-o", binary, "helm.sh/helm/v4/cmd/helm").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: "go build helm: " + string(out), Err: err}
	}
	return binary, nil
})

// helm fails the test unless the command succeeds.
func (l *lifecycle) helm(t *testing.T, args ...string) string {
	t.Helper()
	binary, err := helmBinary()
	if err != nil {
		t.Fatal(err)
	}
	return l.run(t, binary, args...)
}

func (l *lifecycle) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return l.run(t, filepath.Join(l.cluster.BinDir(), "kubectl"), args...)
}

// run fails the test unless the command succeeds on the mesh namespace.
func (l *lifecycle) run(t *testing.T, binary string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(testkit.Context(t, 3*time.Minute), binary, append(args, "-n", mesh.Namespace)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+l.cluster.Kubeconfig(), "HOME="+t.TempDir())
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(binary), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// says fails the test unless the text has all of the words.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it does not say %q:\n%s", word, text)
		}
	}
}

func TestAnUpgradeTakesOverWhatWasChangedByHand(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	l := lifecycle{c, client}
	l.osm(t, "install", patientLimit)
	for _, step := range []struct {
		sentence string
		take     func(*testing.T)
	}{
		{"replicas stay as they were scaled", l.keepReplicas},
		{"what is about to be overwritten is listed, and nothing written", l.listChanges},
		{"what the chart sets is set again, and what it does not set stays", l.overwrite},
		{"a number of replicas that is given is set", l.setReplicas},
		{"an autoscaler's replicas stay, and one made by hand becomes the chart's", l.autoscale},
		{"an upgrade that is taken back keeps the replicas", l.takeBackScaled},
		{"what cannot be changed in place is replaced", l.replaceImmutable},
	} {
		if !t.Run(step.sentence, step.take) {
			showLogs(t, c)
			return
		}
	}
}

func (l *lifecycle) replicas(t *testing.T, name string, want int32) {
	t.Helper()
	d, err := l.client.AppsV1().Deployments(mesh.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *d.Spec.Replicas != want {
		t.Errorf("%s has %d replicas, want %d", name, *d.Spec.Replicas, want)
	}
}

func (l *lifecycle) keepReplicas(t *testing.T) {
	l.kubectl(t, "scale", "deployment", "osm-injector", "--replicas=2")
	says(t, l.osm(t, "upgrade", patientLimit), "osm-injector keeps its 2 replicas")
	l.replicas(t, "osm-injector", 2)
	l.osm(t, "upgrade", patientLimit, "--set", "osm.controllerLogLevel=debug")
	l.replicas(t, "osm-injector", 2)
}

// changed is what listChanges makes of the mesh by hand, and what is said of it.
var changed = []string{
	"ValidatingWebhookConfiguration osm-validator-mesh-osm: webhooks[osm-validator.k8s.io].failurePolicy: Ignore", "Fail",
	"Deployment osm-system/osm-controller: spec.template.spec.containers[osm-controller].image: flomesh/osm-controller:hotfix",
	"ConfigMap osm-system/osm-preset: it is missing",
	"ClusterRoleBinding osm-controller-osm: it is missing",
	"ClusterRole osm-injector-osm: rules",
	"Service osm-system/osm-injector: metadata.labels",
	"MutatingWebhookConfiguration osm-webhook-osm: webhooks[osm-inject.k8s.io].objectSelector.matchLabels",
	"Deployment osm-system/osm-controller: spec.paused: true",
	"Deployment osm-system/osm-controller: metadata.labels[app.kubernetes.io/instance]: nothing",
}

func (l *lifecycle) listChanges(t *testing.T) {
	l.kubectl(t, "patch", "validatingwebhookconfiguration", "osm-validator-mesh-osm", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
	l.kubectl(t, "patch", "mutatingwebhookconfiguration", "osm-webhook-osm", "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/objectSelector","value":{"matchLabels":{"only":"these"}}}]`)
	l.kubectl(t, "set", "image", "deployment/osm-controller", "osm-controller=flomesh/osm-controller:hotfix")
	l.kubectl(t, "set", "env", "deployment/osm-controller", "ADDED=by-hand")
	l.kubectl(t, "annotate", "deployment", "osm-controller", "example.com/added=by-hand")
	l.kubectl(t, "label", "service", "osm-controller", "example.com/added=by-hand")
	l.kubectl(t, "label", "deployment", "osm-controller", "app.kubernetes.io/instance-")
	l.kubectl(t, "rollout", "pause", "deployment/osm-controller")
	l.kubectl(t, "label", "service", "osm-injector", "app.kubernetes.io/name=by-hand", "--overwrite")
	l.kubectl(t, "patch", "clusterrole", "osm-injector-osm", "--type=json", "-p", `[{"op":"remove","path":"/rules/3"}]`)
	l.kubectl(t, "delete", "configmap", "osm-preset")
	l.kubectl(t, "delete", "clusterrolebinding", "osm-controller-osm")
	before := l.kubectl(t, "get", "validatingwebhookconfiguration,deployment,clusterrole", "-o", "jsonpath={range .items[*]}{.metadata.generation}{.metadata.resourceVersion} {end}", "-l", "app.kubernetes.io/instance=osm,app!=osm-controller,app!=osm-injector,app!=osm-bootstrap")
	out := l.osm(t, "upgrade", "--dry-run")
	says(t, out, changed...)
	for _, word := range []string{"caBundle", "osm-bootstrap:", "spec.replicas", "ADDED", "example.com"} {
		if strings.Contains(out, word) {
			t.Errorf("%s was not changed by hand, or is not overwritten:\n%s", word, out)
		}
	}
	after := l.kubectl(t, "get", "validatingwebhookconfiguration,deployment,clusterrole", "-o", "jsonpath={range .items[*]}{.metadata.generation}{.metadata.resourceVersion} {end}", "-l", "app.kubernetes.io/instance=osm,app!=osm-controller,app!=osm-injector,app!=osm-bootstrap")
	if before != after {
		t.Error("--dry-run wrote something")
	}
}

func (l *lifecycle) overwrite(t *testing.T) {
	says(t, l.osm(t, "upgrade", patientLimit), changed...)
	webhook, err := l.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "osm-validator-mesh-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := webhook.Webhooks[0]; *w.FailurePolicy != "Fail" || len(w.ClientConfig.CABundle) == 0 {
		t.Errorf("the webhook's failurePolicy is %s, and its caBundle %d bytes", *w.FailurePolicy, len(w.ClientConfig.CABundle))
	}
	if owner := ownerOf(webhook.ManagedFields, "f:caBundle"); !slices.Equal(owner, []string{"osm-bootstrap"}) {
		t.Errorf("the caBundle is of %q", owner)
	}
	d, err := l.client.AppsV1().Deployments(mesh.Namespace).Get(t.Context(), "osm-controller", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	container := d.Spec.Template.Spec.Containers[0]
	if strings.HasSuffix(container.Image, ":hotfix") || d.Annotations["example.com/added"] != "by-hand" || len(container.Env) != 3 {
		t.Errorf("osm-controller has image %s, annotations %v and variables %v", container.Image, d.Annotations, container.Env)
	}
	if out := l.osm(t, "upgrade", patientLimit); strings.Contains(out, "by hand") {
		t.Errorf("nothing was changed since:\n%s", out)
	}
}

// ownerOf names those who manage a field of that name.
func ownerOf(entries []metav1.ManagedFieldsEntry, field string) (names []string) {
	for _, entry := range entries {
		if strings.Contains(entry.FieldsV1.GetRawString(), `"`+field+`"`) {
			names = append(names, entry.Manager)
		}
	}
	return names
}

func (l *lifecycle) setReplicas(t *testing.T) {
	l.osm(t, "upgrade", patientLimit, "--set", "osm.injector.replicaCount=3")
	l.replicas(t, "osm-injector", 3)
	l.kubectl(t, "scale", "deployment", "osm-injector", "--replicas=2")
	l.osm(t, "upgrade", patientLimit, "--set", "osm.injector.replicaCount=1")
	l.replicas(t, "osm-injector", 1)
}

func (l *lifecycle) autoscale(t *testing.T) {
	l.kubectl(t, "autoscale", "deployment", "osm-injector", "--min=3", "--max=4", "--cpu=80%")
	l.kubectl(t, "wait", "deployment", "osm-injector", "--for=jsonpath={.spec.replicas}=3", "--timeout=60s")
	l.osm(t, "upgrade", patientLimit)
	l.replicas(t, "osm-injector", 3)
	l.osm(t, "upgrade", patientLimit, "--set", "osm.injector.autoScale.enable=true,osm.injector.autoScale.minReplicas=2,osm.injector.autoScale.maxReplicas=5")
	l.replicas(t, "osm-injector", 3)
	l.helm(t, "upgrade", "osm", chart, "--reset-then-reuse-values")
	l.replicas(t, "osm-injector", 3)
	l.osm(t, "upgrade", patientLimit, "--set", "osm.injector.autoScale.enable=false")
	l.replicas(t, "osm-injector", 1)
}

func (l *lifecycle) takeBackScaled(t *testing.T) {
	l.kubectl(t, "scale", "deployment", "osm-bootstrap", "--replicas=2")
	l.kubectl(t, "set", "env", "deployment/osm-bootstrap", "POD_NAME=by-hand")
	l.refused(t, []string{"upgrade", "--atomic", futileLimit, "--set", tooBig}, "Insufficient cpu", "going back to revision")
	for _, name := range mesh.Components {
		if err := mesh.WaitRollout(testkit.Context(t, time.Minute), l.client, mesh.Namespace, name); err != nil {
			t.Fatal(err)
		}
	}
	l.replicas(t, "osm-bootstrap", 2)
}

func (l *lifecycle) replaceImmutable(t *testing.T) {
	l.kubectl(t, "patch", "configmap", "osm-preset", "--type=merge", "-p", `{"immutable":true}`)
	binding, err := l.client.RbacV1().ClusterRoleBindings().Get(t.Context(), "osm-injector-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.kubectl(t, "delete", "clusterrolebinding", binding.Name)
	l.kubectl(t, "create", "clusterrolebinding", binding.Name, "--clusterrole=view", "--serviceaccount=osm-system:osm-injector")
	out := l.osm(t, "upgrade", patientLimit, "--set", "osm.sidecarLogLevel=debug")
	says(t, out, "ClusterRoleBinding osm-injector-osm", "ConfigMap osm-system/osm-preset", "is replaced")
	config, err := l.client.CoreV1().ConfigMaps(mesh.Namespace).Get(t.Context(), "osm-preset", metav1.GetOptions{})
	if err != nil || !strings.Contains(config.Data["mesh-config.yaml"], "debug") {
		t.Errorf("the preset is %v, %v", config, err)
	}
}

func TestHelmAndOsmUpgradeAMeshInTurns(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	l := lifecycle{c, client}
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	t.Run("installed by osm", func(t *testing.T) {
		l.osm(t, "install", patientLimit)
		l.inTurns(t, "debug", "warn")
	})
	t.Run("installed by an osm that had a name of its own for its fields", func(t *testing.T) {
		l.renameManager(t, "helm", "osm")
		l.osm(t, "upgrade", patientLimit)
		l.inTurns(t, "debug")
	})
	t.Run("scaled and changed by hand in between", func(t *testing.T) {
		l.kubectl(t, "scale", "deployment", "osm-injector", "--replicas=2")
		l.kubectl(t, "set", "env", "deployment/osm-injector", "POD_NAME=by-hand")
		says(t, l.osm(t, "upgrade", patientLimit), "env[POD_NAME].value: by-hand, becomes nothing")
		l.inTurns(t, "debug")
		l.replicas(t, "osm-injector", 2)
	})
	t.Run("installed by Helm on the client's side", func(t *testing.T) {
		l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca")
		l.kubectl(t, "wait", "namespace/"+mesh.Namespace, "--for=delete", "--timeout=60s")
		l.helm(t, "install", "osm", chart, "--create-namespace", "--server-side=false", "--wait")
		l.helm(t, "upgrade", "osm", chart, "--server-side=false", "--set", "osm.controllerLogLevel=warn")
		l.osm(t, "upgrade", patientLimit, "--set", "osm.controllerLogLevel=debug")
		l.helm(t, "upgrade", "osm", chart, "--reset-then-reuse-values", "--server-side=false", "--set", "osm.controllerLogLevel=error")
		l.osm(t, "upgrade", patientLimit, "--set", "osm.controllerLogLevel=info")
		l.inTurns(t, "debug")
	})
}

// inTurns changes the same fields by one and the other, once a level.
func (l *lifecycle) inTurns(t *testing.T, levels ...string) {
	t.Helper()
	for _, level := range levels {
		l.helm(t, "upgrade", "osm", chart, "--reset-then-reuse-values", "--set", "osm.controllerLogLevel="+level+",osm.trustDomain=cluster.local,osm.sidecarLogLevel="+level)
		if out := l.osm(t, "upgrade", patientLimit, "--set", "osm.controllerLogLevel=info,osm.sidecarLogLevel=error"); strings.Contains(out, "by hand") {
			t.Errorf("what helm did was not done by hand:\n%s", out)
		}
	}
	preset, err := l.client.CoreV1().ConfigMaps(mesh.Namespace).Get(t.Context(), "osm-preset", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if owners := ownerOf(preset.ManagedFields, "f:mesh-config.yaml"); !slices.Equal(owners, []string{"helm"}) {
		t.Errorf("the preset is of %q, want helm alone", owners)
	}
}

// renameManager has the fields of the chart's objects be of another manager.
func (l *lifecycle) renameManager(t *testing.T, from, to string) {
	t.Helper()
	kinds := "deployment,service,serviceaccount,configmap,role,rolebinding,clusterrole,clusterrolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration"
	names := strings.Fields(l.kubectl(t, "get", kinds, "-o", "name", "-l", "app.kubernetes.io/managed-by=Helm"))
	if len(names) < 20 {
		t.Fatalf("the chart made only %q", names)
	}
	for _, name := range names {
		managers := strings.Fields(l.kubectl(t, "get", name, "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}"))
		var operations []string
		for i, manager := range managers {
			if manager == from {
				operations = append(operations, `{"op":"replace","path":"/metadata/managedFields/`+string(rune('0'+i))+`/manager","value":"`+to+`"}`)
			}
		}
		l.kubectl(t, "patch", name, "--type=json", "-p", "["+strings.Join(operations, ",")+"]")
	}
}
