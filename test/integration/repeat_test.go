//go:build cli

package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	// stuckLimit is more than it takes to come to what is stuck.
	stuckLimit = "--timeout=30s"

	finalizers   = `{"metadata":{"finalizers":["example.com/stuck"]}}`
	noFinalizers = `{"metadata":{"finalizers":null}}`
)

func TestCommandsThatWaitCanBeRepeated(t *testing.T) {
	testLifecycle(t, []step{
		{"an installation that failed half-way is repeated by the same command", (*lifecycle).repeatInstallation},
		{"an upgrade that was killed says what to do, and is repeated", (*lifecycle).repeatUpgrade},
		{"an upgrade does not apply anything to what is being deleted", (*lifecycle).refuseEnding},
		{"an upgrade that has to replace an object waits for it to its timeout", (*lifecycle).replaceStuck},
		{"a component without replicas is not said to be ready", (*lifecycle).withoutReplicas},
		{"a root whose Secret would not be gone is not deleted", (*lifecycle).refuseRotation},
		{"an uninstallation ends with what it waits for, whatever stage it is at", (*lifecycle).uninstallStuck},
		{"an uninstallation names what comes back, and who brings it", (*lifecycle).uninstallWhatComesBack},
		{"an uninstallation that was interrupted says so, and is repeated", (*lifecycle).interruptUninstallation},
		{"an uninstallation that was killed is repeated, and nothing is left", (*lifecycle).repeatUninstallation},
		{"a mesh whose kinds are not known any more is uninstalled", (*lifecycle).withoutKinds},
	})
}

func (l *lifecycle) repeatInstallation(t *testing.T) {
	l.kubectl(t, "create", "-f", l.file(t, `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"no-controller"},"spec":{
"matchConstraints":{"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"resources":["deployments"],"operations":["CREATE"]}]},
"validations":[{"expression":"object.metadata.name != 'osm-controller'","message":"not today"}]}}`))
	l.kubectl(t, "create", "-f", l.file(t, `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicyBinding","metadata":{"name":"no-controller"},"spec":{"policyName":"no-controller","validationActions":["Deny"]}}`))
	testkit.Condition(t, "the policy", func(ctx context.Context) (bool, error) {
		_, err := l.client.AppsV1().Deployments("default").Create(ctx, deploymentNamed("osm-controller"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "not today"), nil
	})
	l.refused(t, []string{"install", patientLimit}, "not today")
	l.kubectl(t, "delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-controller")
	testkit.Condition(t, "the end of the policy", func(ctx context.Context) (bool, error) {
		_, err := l.client.AppsV1().Deployments("default").Create(ctx, deploymentNamed("osm-controller"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil, nil
	})
	says(t, l.osm(t, "install", patientLimit), "the last installation of mesh osm is failed, and is repeated", "is installed in namespace osm-system")

	before := l.root(t)
	l.setStatus(t, 2, "uninstalled") // as helm uninstall --keep-history leaves it
	l.refused(t, []string{"upgrade"}, "is uninstalled, and Helm has kept its history: to install it again, osm install")
	l.osm(t, "install", patientLimit)
	l.setStatus(t, 3, "pending-install")
	l.refused(t, []string{"install", patientLimit}, "mesh osm in namespace osm-system is being installed or changed: its release is pending-install since", "if what began it was killed, osm uninstall mesh")
	l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
	l.osm(t, "install", patientLimit)
	if !l.root(t).Equal(before) {
		t.Error("the mesh came back with another root")
	}
}

func (l *lifecycle) file(t *testing.T, text string) string {
	t.Helper()
	file, err := os.CreateTemp(l.cluster.LogDir(), "*.json") // a test's own directory has commas
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// setStatus has a revision be what a process leaves that is killed.
func (l *lifecycle) setStatus(t *testing.T, revision int, status string) {
	t.Helper()
	secrets := l.client.CoreV1().Secrets(mesh.Namespace)
	secret, err := secrets.Get(t.Context(), "sh.helm.release.v1.osm.v"+string(rune('0'+revision)), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := base64.StdEncoding.DecodeString(string(secret.Data["release"]))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var release map[string]any
	if err := json.NewDecoder(reader).Decode(&release); err != nil {
		t.Fatal(err)
	}
	release["info"].(map[string]any)["status"] = status
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	if err := json.NewEncoder(writer).Encode(release); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	secret.Data["release"] = []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
	secret.Labels["status"] = status
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *lifecycle) repeatUpgrade(t *testing.T) {
	l.osm(t, "upgrade", patientLimit)
	l.setStatus(t, 2, "pending-upgrade")
	_, problem, code := osm(t, l.cluster.Kubeconfig(), "upgrade")
	_, command, found := strings.Cut(problem, "if what began it was killed: ")
	if code != 1 || !found {
		t.Fatalf("status %d: %s", code, problem)
	}
	l.shell(t, command)
	l.osm(t, "upgrade", patientLimit)
	l.setStatus(t, 2, "uninstalling")
	l.refused(t, []string{"upgrade"}, "is being uninstalled: to complete that, osm uninstall mesh")
	l.setStatus(t, 2, "deployed")
}

func (l *lifecycle) refuseEnding(t *testing.T) {
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", finalizers)
	l.kubectl(t, "delete", "clusterrole", "osm-bootstrap-osm", "--wait=false")
	l.refused(t, []string{"upgrade"}, "ClusterRole osm-bootstrap-osm is being deleted", "example.com/stuck", "kubectl patch clusterroles.v1.rbac.authorization.k8s.io osm-bootstrap-osm --type=merge")
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", noFinalizers)
	says(t, l.osm(t, "upgrade", patientLimit), "ClusterRole osm-bootstrap-osm: it is missing, and is made anew")
}

func (l *lifecycle) replaceStuck(t *testing.T) {
	l.kubectl(t, "patch", "configmap", "osm-preset", "--type=merge", "-p", `{"immutable":true,"metadata":{"finalizers":["example.com/stuck"]}}`)
	l.refused(t, []string{"upgrade", futileLimit, "--set", "osm.sidecarLogLevel=debug"}, "replace ConfigMap osm-system/osm-preset: it waits for its finalizer example.com/stuck", "osm upgrade can be repeated")
	l.kubectl(t, "patch", "configmap", "osm-preset", "--type=merge", "-p", noFinalizers)
	l.osm(t, "upgrade", patientLimit, "--set", "osm.sidecarLogLevel=debug")
}

func (l *lifecycle) withoutReplicas(t *testing.T) {
	l.kubectl(t, "scale", "deployment", "osm-injector", "--replicas=0")
	out := l.osm(t, "upgrade", patientLimit)
	says(t, out, "osm-injector has no replicas", "kubectl scale deployment osm-injector -n osm-system --replicas=1")
	if strings.Contains(out, "osm-injector is ready") {
		t.Errorf("it is said to be ready:\n%s", out)
	}
	l.kubectl(t, "scale", "deployment", "osm-injector", "--replicas=1")
}

func (l *lifecycle) refuseRotation(t *testing.T) {
	before := l.root(t)
	l.kubectl(t, "patch", "secret", "osm-ca-bundle", "--type=merge", "-p", finalizers)
	l.refused(t, []string{"ca", "rotate"}, "secret osm-system/osm-ca-bundle would not be gone once it is deleted", "example.com/stuck", "kubectl patch secrets osm-ca-bundle -n osm-system")
	l.kubectl(t, "patch", "secret", "osm-ca-bundle", "--type=merge", "-p", noFinalizers)
	if !l.root(t).Equal(before) {
		t.Error("the root is another")
	}
}

// uninstallStuck has an object of each stage be stuck, the last one first.
func (l *lifecycle) uninstallStuck(t *testing.T) {
	type stuck struct{ resource, name, kind string }
	all := []stuck{
		{"mutatingwebhookconfiguration", "osm-webhook-osm", "MutatingWebhookConfiguration osm-webhook-osm"},
		{"deployment", "osm-injector", "Deployment osm-system/osm-injector"},
		{"clusterrole", "osm-bootstrap-osm", "ClusterRole osm-bootstrap-osm"},
		{"configmap", "osm-trust-bundle", "ConfigMap osm-system/osm-trust-bundle"},
	}
	for _, s := range all {
		l.kubectl(t, "patch", s.resource, s.name, "--type=merge", "-p", finalizers)
	}
	for _, s := range all {
		l.refused(t, []string{"uninstall", "mesh", "--delete-ca", "--yes", stuckLimit}, s.kind+" waits for its finalizer example.com/stuck", "osm uninstall mesh can be repeated")
		if s.resource == "deployment" {
			l.refused(t, []string{"install"}, "mesh osm is installed in namespace osm-system") // whose release is the last to go
		}
		l.kubectl(t, "patch", s.resource, s.name, "--type=merge", "-p", noFinalizers)
	}
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func (l *lifecycle) uninstallWhatComesBack(t *testing.T) {
	l.osm(t, "install", patientLimit)
	services := l.client.CoreV1().Services(mesh.Namespace)
	service, err := services.Get(t.Context(), "osm-validator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := services.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=osm-validator"})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range events.ResultChan() {
			if event.Type != watch.Deleted {
				continue
			}
			again := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: service.Name, Labels: service.Labels}, Spec: corev1.ServiceSpec{Ports: service.Spec.Ports}}
			if _, err := services.Create(context.WithoutCancel(t.Context()), again, metav1.CreateOptions{FieldManager: "busy-operator"}); err != nil && !apierrors.IsAlreadyExists(err) {
				return
			}
		}
	}()
	l.refused(t, []string{"uninstall", "mesh", "--yes", stuckLimit}, "Service osm-system/osm-validator is made again each time that it is deleted, by busy-operator: stop that first", "can be repeated")
	events.Stop()
	<-ended
	l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
}

func (l *lifecycle) interruptUninstallation(t *testing.T) {
	l.osm(t, "install", patientLimit)
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", finalizers)
	command := exec.CommandContext(testkit.Context(t, 2*time.Minute), filepath.Join(bin, "osm"), "uninstall", "mesh", "--yes", patientLimit, "--kubeconfig", l.cluster.Kubeconfig())
	var out bytes.Buffer
	command.Stdout, command.Stderr = io.Discard, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "what is stuck is deleted", func(ctx context.Context) (bool, error) {
		role, err := l.client.RbacV1().ClusterRoles().Get(ctx, "osm-bootstrap-osm", metav1.GetOptions{})
		return err == nil && role.DeletionTimestamp != nil, err
	})
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil || !strings.Contains(out.String(), "interrupted\nosm uninstall mesh can be repeated") {
		t.Errorf("%v, %s", err, &out)
	}
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", noFinalizers)
	l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
}

func (l *lifecycle) repeatUninstallation(t *testing.T) {
	l.kubectl(t, "create", "clusterrole", "osm-bootstrap-osm", "--verb=get", "--resource=pods")
	l.kubectl(t, "label", "clusterrole", "osm-bootstrap-osm", "app.kubernetes.io/name=openservicemesh.io", "app.kubernetes.io/instance=osm")
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", finalizers)
	l.kubectl(t, "delete", "clusterrole", "osm-bootstrap-osm", "--wait=false")
	l.refused(t, []string{"install"}, "ClusterRole osm-bootstrap-osm is being deleted", "example.com/stuck", "nothing was installed")
	l.kubectl(t, "patch", "clusterrole", "osm-bootstrap-osm", "--type=merge", "-p", noFinalizers)
	l.osm(t, "install", patientLimit)
	l.setStatus(t, 1, "uninstalling")
	l.kubectl(t, "delete", "mutatingwebhookconfiguration", "osm-webhook-osm")
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func (l *lifecycle) withoutKinds(t *testing.T) {
	l.kubectl(t, "create", "-f", l.file(t, `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"podmonitors.monitoring.coreos.com","annotations":{"api-approved.kubernetes.io":"unapproved"}},
"spec":{"group":"monitoring.coreos.com","scope":"Namespaced","names":{"kind":"PodMonitor","listKind":"PodMonitorList","plural":"podmonitors","singular":"podmonitor"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`))
	l.kubectl(t, "wait", "crd/podmonitors.monitoring.coreos.com", "--for=condition=Established", "--timeout=60s")
	l.osm(t, "install", patientLimit, "--set", "osm.monitoring.podMonitor=true")
	l.kubectl(t, "delete", "crd", "podmonitors.monitoring.coreos.com")
	l.osm(t, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit)
	l.gone(t)
}

func deploymentNamed(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
	}}
}
