package publish

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
)

const name = "osm-notes"

var (
	meshLabels = map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm"}
	monitored  = map[string]string{"openservicemesh.io/monitored-by": "osm"}
)

// mesh is a Publisher that runs, with the API server that it writes to.
type mesh struct {
	*Publisher
	client *fake.Clientset
	logged bytes.Buffer
}

// startMesh runs a Publisher until the test's end. It must be called in a
// bubble of synctest.
func startMesh(t *testing.T, objects ...runtime.Object) *mesh { return start(t, false, objects) }

// startSealed is startMesh for what is immutable.
func startSealed(t *testing.T, objects ...runtime.Object) *mesh { return start(t, true, objects) }

func start(t *testing.T, immutable bool, objects []runtime.Object) *mesh {
	t.Helper()
	m := &mesh{client: fake.NewClientset(objects...)}
	factory := informers.NewSharedInformerFactory(m.client, 0)
	namespaces, configMaps := factory.Core().V1().Namespaces(), factory.Core().V1().ConfigMaps()
	m.Publisher = New(Options{
		Name:          name,
		Immutable:     immutable,
		Client:        m.client.CoreV1(),
		Namespaces:    namespaces.Lister(),
		ConfigMaps:    configMaps.Lister(),
		Monitored:     labels.SelectorFromSet(monitored),
		MeshNamespace: "osm-system",
		Labels:        meshLabels,
		Owned:         labels.SelectorFromSet(meshLabels),
		Logger:        slog.New(slog.NewTextHandler(&m.logged, nil)),
	})
	m.follow(t, namespaces.Informer(), configMaps.Informer())
	ctx, cancel := context.WithCancel(t.Context())
	factory.StartWithContext(ctx)
	factory.WaitForCacheSync(ctx.Done())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		factory.Shutdown()
	})
	synctest.Wait()
	return m
}

func (m *mesh) follow(t *testing.T, namespaces, configMaps cache.SharedIndexInformer) {
	t.Helper()
	tell := func(object any) {
		switch o := object.(type) {
		case *corev1.Namespace:
			m.Changed(o.Name)
		case *corev1.ConfigMap:
			m.Changed(o.Namespace)
		}
	}
	for _, informer := range []cache.SharedIndexInformer{namespaces, configMaps} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: tell, UpdateFunc: func(_, object any) { tell(object) }, DeleteFunc: tell,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// set publishes a note and waits until that is done.
func (m *mesh) set(t *testing.T, note string) {
	t.Helper()
	if err := m.Set(notes(note)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func notes(note string) map[string]string { return map[string]string{"note": note} }

// mustHold fails unless these namespaces have a copy of the note, and no other
// namespace has one.
func (m *mesh) mustHold(t *testing.T, note string, namespaces ...string) {
	t.Helper()
	list, err := m.client.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cm := range list.Items {
		got = append(got, cm.Namespace)
		if cm.Name != name || len(cm.Data) != 1 || cm.Data["note"] != note || len(cm.BinaryData) > 0 {
			t.Errorf("configmap %s/%s holds %v, want the note %q", cm.Namespace, cm.Name, cm.Data, note)
		}
		if sealed := cm.Immutable != nil && *cm.Immutable; sealed != m.Immutable {
			t.Errorf("configmap %s/%s is immutable: %t", cm.Namespace, cm.Name, sealed)
		}
		if !m.Owned.Matches(labels.Set(cm.Labels)) {
			t.Errorf("configmap %s/%s has labels %v", cm.Namespace, cm.Name, cm.Labels)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, namespaces) {
		t.Errorf("copies are in %q, want %q", got, namespaces)
	}
}

// did returns the verbs that the client was asked for.
func (m *mesh) did() (verbs []string) {
	for _, action := range m.client.Actions() {
		verbs = append(verbs, action.GetVerb())
	}
	return verbs
}

// mustDo fails unless the client was asked for these verbs.
func (m *mesh) mustDo(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(m.did(), " "); got != want {
		t.Errorf("the API server was asked to %q, want %q", got, want)
	}
}

// mustLog fails unless all of it was logged.
func (m *mesh) mustLog(t *testing.T, parts ...string) {
	t.Helper()
	for _, want := range parts {
		if !strings.Contains(m.logged.String(), want) {
			t.Errorf("logged %q, which lacks %q", &m.logged, want)
		}
	}
}

// mustFail fails unless the metric says that publication fails in so many namespaces.
func (m *mesh) mustFail(t *testing.T, namespaces int) {
	t.Helper()
	if got := testutil.ToFloat64(m); got != float64(namespaces) {
		t.Errorf("it fails in %v namespaces, want %d", got, namespaces)
	}
}

func (m *mesh) createNamespace(t *testing.T, ns *corev1.Namespace) {
	t.Helper()
	if _, err := m.client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (m *mesh) updateNamespace(t *testing.T, ns *corev1.Namespace) {
	t.Helper()
	if _, err := m.client.CoreV1().Namespaces().Update(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (m *mesh) update(t *testing.T, cm *corev1.ConfigMap) {
	t.Helper()
	if _, err := m.client.CoreV1().ConfigMaps(cm.Namespace).Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (m *mesh) remove(t *testing.T, namespace string) {
	t.Helper()
	if err := m.client.CoreV1().ConfigMaps(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func configMap(namespace string, labels, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Data: data}
}

func sealed(cm *corev1.ConfigMap) *corev1.ConfigMap {
	cm.Immutable = new(true)
	return cm
}
