//go:build cli

package integration

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// patientLimit is more than an installation takes, and futileLimit less than
// one that does not succeed is given.
const (
	patientLimit = "--timeout=2m"
	futileLimit  = "--timeout=8s"

	// tooBig is for no node.
	tooBig = "osm.osmController.resource.requests.cpu=1M,osm.osmController.resource.limits.cpu=1M"
)

// lifecycle is a cluster on which a mesh comes and goes.
type lifecycle struct {
	cluster *cluster.Cluster
	client  kubernetes.Interface
}

// step is something that happens to a mesh, from what the step before left.
type step struct {
	sentence string
	take     func(*lifecycle, *testing.T)
}

// testLifecycle takes the steps on a cluster of their own, until one fails.
func testLifecycle(t *testing.T, steps []step) {
	t.Helper()
	t.Parallel()
	c, client := startCluster(t)
	l := &lifecycle{c, client}
	for _, step := range steps {
		if !t.Run(step.sentence, func(t *testing.T) { step.take(l, t) }) {
			showLogs(t, c)
			return
		}
	}
}

func TestAMeshComesAndGoesByTheCommandLine(t *testing.T) {
	testLifecycle(t, []step{
		{"what would fail is refused before anything is written", (*lifecycle).refuseBefore},
		{"an atomic installation that does not get ready leaves nothing", (*lifecycle).takeBack},
		{"it is installed", (*lifecycle).install},
		{"namespaces join it, and leave it", (*lifecycle).namespaces},
		{"an upgrade keeps the values that were given", (*lifecycle).upgrade},
		{"an atomic upgrade that does not get ready goes back", (*lifecycle).goBack},
		{"without its root deleted it comes back as it was", (*lifecycle).comeBack},
		{"with its root deleted nothing is left", (*lifecycle).deleteAll},
	})
}

// osm fails the test unless the command succeeds, and returns what it printed.
func (l *lifecycle) osm(t *testing.T, args ...string) string {
	t.Helper()
	out, problem, code := osm(t, l.cluster.Kubeconfig(), args...)
	if code != 0 {
		t.Fatalf("osm %s: status %d, %s\n%s", strings.Join(args, " "), code, problem, out)
	}
	return out
}

// refused fails the test unless the command does, and says all of the texts.
func (l *lifecycle) refused(t *testing.T, args []string, texts ...string) {
	t.Helper()
	out, problem, code := osm(t, l.cluster.Kubeconfig(), args...)
	if code != 1 {
		t.Errorf("osm %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	for _, text := range texts {
		if !strings.Contains(out+problem, text) {
			t.Errorf("osm %s does not say %q:\n%s%s", strings.Join(args, " "), text, out, problem)
		}
	}
}

func (l *lifecycle) refuseBefore(t *testing.T) {
	for name, test := range map[string]struct{ args, texts []string }{
		"a value of the wrong form":         {[]string{"--set", "osm.osmController.replicaCount=many"}, []string{"replicaCount"}},
		"two names":                         {[]string{"--set", "osm.meshName=one", "--mesh-name", "two"}, []string{"--mesh-name alone"}},
		"no cert-manager":                   {[]string{"--set", "osm.certificateProvider.kind=cert-manager"}, []string{"cert-manager is not installed", "osm-system/osm-ca-bundle", "to fix it"}},
		"Vault without a token there":       {[]string{"--set", "osm.certificateProvider.kind=vault,osm.vault.host=v,osm.vault.secret.name=token,osm.vault.secret.key=it"}, []string{"Secret osm-system/token", "to fix it: kubectl create namespace osm-system && kubectl create secret generic token -n osm-system --from-file=it"}},
		"Vault over http without its roots": {[]string{"--set", "osm.certificateProvider.kind=vault,osm.vault.host=v,osm.vault.protocol=http,osm.vault.token=t"}, []string{"Vault is asked over http", "--set osm.vault.protocol=https", "osm-system/osm-ca-bundle"}},
		"Vault without the roots it names":  {[]string{"--set", "osm.certificateProvider.kind=vault,osm.vault.host=v,osm.vault.rootsSecret=roots,osm.vault.token=t"}, []string{"osm-system/roots", "--from-file=ca.crt"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.refused(t, append([]string{"install", patientLimit}, test.args...), test.texts...)
		})
	}
	l.nothingIsLeft(t)
}

func (l *lifecycle) takeBack(t *testing.T) {
	l.refused(t, []string{"install", "--atomic", futileLimit, "--set", tooBig}, "osm-controller is not ready: pod osm-controller-", "Insufficient cpu", "taking back")
	l.nothingIsLeft(t)
}

func (l *lifecycle) install(t *testing.T) {
	out := l.osm(t, "install", patientLimit, "--set", "osm.certificateProvider.serviceCertValidityDuration=12h")
	for _, text := range []string{"osm-controller is ready", "is installed in namespace osm-system", "osm.outboundIPRangeInclusionList"} {
		if !strings.Contains(out, text) {
			t.Errorf("osm install does not say %q:\n%s", text, out)
		}
	}
	l.refused(t, []string{"install"}, "mesh osm is installed in namespace osm-system", "osm upgrade")
	l.refused(t, []string{"install", "--osm-namespace", "elsewhere"}, "a mesh of the name osm is in namespace osm-system", "--mesh-name")
}

func (l *lifecycle) namespaces(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		if _, err := l.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mesh.Deploy(testkit.Context(t, time.Minute), l.client, "one", "app", corev1.Container{Image: "app"}); err != nil {
		t.Fatal(err)
	}
	l.refused(t, []string{"namespace", "add", "one", "kube-system", "unheard-of"}, "namespace kube-system is never of a mesh", "kubectl create namespace unheard-of")
	if out := l.osm(t, "namespace", "list"); strings.Contains(out, "one") {
		t.Errorf("one of three namespaces was refused, and another changed:\n%s", out)
	}
	if out := l.osm(t, "namespace", "add", "one", "two"); !strings.Contains(out, "kubectl rollout restart deployment,statefulset,daemonset -n one") || strings.Contains(out, "-n two") {
		t.Errorf("osm namespace add says:\n%s", out)
	}
	l.osm(t, "namespace", "add", "two", "--disable-sidecar-injection")
	l.osm(t, "namespace", "ignore", "three")
	l.refused(t, []string{"namespace", "remove", "one", "--mesh-name", "other"}, "namespace one belongs to mesh osm", "--mesh-name osm")
	want := map[string]string{"one": "osm enabled 0 1", "two": "osm disabled 0 0", "three": "- ignored 0 0"}
	for line := range strings.Lines(l.osm(t, "namespace", "list")) {
		words := strings.Fields(line)
		if is, ok := want[words[0]]; ok && is == strings.Join(words[1:], " ") {
			delete(want, words[0])
		}
	}
	if len(want) > 0 {
		t.Errorf("osm namespace list does not say %q", want)
	}
	l.osm(t, "namespace", "remove", "one", "two", "three")
	if out := l.osm(t, "version"); strings.Count(out, "mesh osm, namespace osm-system: osm-") != 3 {
		t.Errorf("osm version says:\n%s", out)
	}
}

func (l *lifecycle) upgrade(t *testing.T) {
	l.refused(t, []string{"upgrade", "--mesh-name", "other"}, "there is no mesh other in namespace osm-system")
	l.osm(t, "upgrade", patientLimit, "--set", "osm.osmController.replicaCount=2")
	l.checkController(t)
}

// checkController looks for what both commands said.
func (l *lifecycle) checkController(t *testing.T) {
	t.Helper()
	d, err := l.client.AppsV1().Deployments(mesh.Namespace).Get(t.Context(), "osm-controller", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	container := d.Spec.Template.Spec.Containers[0]
	if cpu := container.Resources.Requests.Cpu(); *d.Spec.Replicas != 2 || !slices.Contains(container.Args, "--service-cert-validity-duration=12h") || cpu.Value() > 1 {
		t.Errorf("osm-controller has %d replicas that request %s of CPU, with %q", *d.Spec.Replicas, cpu, container.Args)
	}
}

func (l *lifecycle) goBack(t *testing.T) {
	l.refused(t, []string{"upgrade", "--atomic", futileLimit, "--set", tooBig}, "Insufficient cpu", "going back to revision 2")
	for _, name := range mesh.Components {
		if err := mesh.WaitRollout(testkit.Context(t, time.Minute), l.client, mesh.Namespace, name); err != nil {
			t.Fatal(err)
		}
	}
	l.checkController(t)
}

func (l *lifecycle) comeBack(t *testing.T) {
	before := l.root(t)
	l.refused(t, []string{"uninstall", "mesh"}, "set --yes")
	l.refused(t, []string{"uninstall", "mesh", "--yes", "--mesh-name", "other"}, "there is no mesh other")
	l.refused(t, []string{"uninstall", "mesh", "--yes", "--delete-ca", "--mesh-name", "other"}, "namespace osm-system has a mesh that is not other")
	if out := l.osm(t, "uninstall", "mesh", "--yes"); !strings.Contains(out, "--delete-ca") {
		t.Errorf("osm uninstall mesh does not say how to delete the rest:\n%s", out)
	}
	if _, err := l.client.AppsV1().Deployments(mesh.Namespace).Get(t.Context(), "osm-controller", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("osm-controller is there: %v", err)
	}
	l.osm(t, "install", patientLimit)
	if after := l.root(t); !after.Equal(before) {
		t.Error("the mesh came back with another root")
	}
}

func (l *lifecycle) root(t *testing.T) *x509.Certificate {
	t.Helper()
	secret, err := l.client.CoreV1().Secrets(mesh.Namespace).Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := rootsecret.Parse(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root.Certificate
}

func (l *lifecycle) deleteAll(t *testing.T) {
	if err := mesh.Join(t.Context(), l.client, "books"); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "the namespace's trust bundle", func(ctx context.Context) (bool, error) {
		_, err := l.client.CoreV1().ConfigMaps("books").Get(ctx, "osm-trust-bundle", metav1.GetOptions{})
		return err == nil, nil
	})
	if out := l.osm(t, "uninstall", "mesh", "--yes", "--delete-ca"); !strings.Contains(out, "osm namespace remove books") {
		t.Errorf("osm uninstall mesh does not say that a namespace is labelled:\n%s", out)
	}
	l.nothingIsLeft(t)
}

// nothingIsLeft looks for objects of the mesh, and for its namespace, which may
// be ending.
func (l *lifecycle) nothingIsLeft(t *testing.T) {
	t.Helper()
	l.noObjectIsLeft(t)
	namespace, err := l.client.CoreV1().Namespaces().Get(t.Context(), mesh.Namespace, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) && (err != nil || namespace.Status.Phase != corev1.NamespaceTerminating) {
		t.Errorf("namespace %s is left: %v", mesh.Namespace, err)
	}
}

func (l *lifecycle) noObjectIsLeft(t *testing.T) {
	t.Helper()
	client, err := metadata.NewForConfig(l.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	ours := metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=openservicemesh.io"}
	for _, resource := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "services"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
		{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	} {
		list, err := client.Resource(resource).List(t.Context(), ours)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range list.Items {
			t.Errorf("%s %s/%s is left", resource.Resource, object.Namespace, object.Name)
		}
	}
}
