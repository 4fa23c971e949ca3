package trust

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
)

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
func startMesh(t *testing.T, objects ...runtime.Object) *mesh {
	t.Helper()
	m := &mesh{client: fake.NewClientset(objects...)}
	factory := informers.NewSharedInformerFactory(m.client, 0)
	namespaces, configMaps := factory.Core().V1().Namespaces(), factory.Core().V1().ConfigMaps()
	m.Publisher = NewPublisher(PublisherOptions{
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

func (m *mesh) set(t *testing.T, roots letters, names string) {
	t.Helper()
	if err := m.Set(roots.bundle(names)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// mustHold fails unless these namespaces have a copy of these roots, and no
// other namespace has one.
func (m *mesh) mustHold(t *testing.T, roots letters, names string, namespaces ...string) {
	t.Helper()
	list, err := m.client.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cm := range list.Items {
		got = append(got, cm.Namespace)
		if cm.Name != ConfigMapName || len(cm.Data) != 1 || cm.Data[BundleKey] != string(roots.bundle(names).PEM()) {
			t.Errorf("configmap %s/%s is no copy of the roots %s", cm.Namespace, cm.Name, names)
		}
		if !labels.SelectorFromSet(meshLabels).Matches(labels.Set(cm.Labels)) {
			t.Errorf("configmap %s/%s has labels %v", cm.Namespace, cm.Name, cm.Labels)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, namespaces) {
		t.Errorf("copies are in %q, want %q", got, namespaces)
	}
}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func configMap(namespace string, labels, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ConfigMapName, Labels: labels}, Data: data}
}

// mustDo fails unless the client was asked for these verbs.
func mustDo(t *testing.T, client *fake.Clientset, want string) {
	t.Helper()
	var verbs []string
	for _, action := range client.Actions() {
		verbs = append(verbs, action.GetVerb())
	}
	if got := strings.Join(verbs, " "); got != want {
		t.Errorf("the API server was asked to %q, want %q", got, want)
	}
}

func TestMonitoredNamespacesGetACopyAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := newRoots(t, "ab")
		ending := namespace("ending", monitored)
		ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{Time: time.Now()}, []string{"kubernetes"}
		m := startMesh(t, namespace("bookstore", monitored), namespace("default", nil), ending,
			namespace("other", map[string]string{"openservicemesh.io/monitored-by": "other"}), namespace("osm-system", monitored))
		m.mustHold(t, roots, "")
		m.set(t, roots, "a")
		m.mustHold(t, roots, "a", "bookstore")

		mustCreate(t, m.client, namespace("bookbuyer", monitored))
		mustLabel(t, m.client, namespace("default", monitored))
		synctest.Wait()
		m.mustHold(t, roots, "a", "bookbuyer", "bookstore", "default")

		mustLabel(t, m.client, namespace("default", nil)) // whose sidecars run on
		m.set(t, roots, "ab")
		m.mustHold(t, roots, "ab", "bookbuyer", "bookstore", "default")
		if m.logged.Len() > 0 {
			t.Errorf("logged %s", &m.logged)
		}
	})
}

func mustCreate(t *testing.T, client *fake.Clientset, ns *corev1.Namespace) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func mustLabel(t *testing.T, client *fake.Clientset, ns *corev1.Namespace) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Update(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestACopyThatDriftsIsMended(t *testing.T) {
	tests := map[string]func(*corev1.ConfigMap){
		"another bundle":         func(cm *corev1.ConfigMap) { cm.Data[BundleKey] = "garbage" },
		"no bundle":              func(cm *corev1.ConfigMap) { cm.Data = nil },
		"something beside":       func(cm *corev1.ConfigMap) { cm.Data["more"] = "of it" },
		"a label of the cluster": func(cm *corev1.ConfigMap) { cm.Data = nil; cm.Labels["team"] = "platform" },
	}
	for name, drift := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				roots := newRoots(t, "a")
				m := startMesh(t, namespace("bookstore", monitored))
				m.set(t, roots, "a")
				cm := configMap("bookstore", maps.Clone(meshLabels), map[string]string{BundleKey: string(roots.bundle("a").PEM())})
				drift(cm)
				if _, err := m.client.CoreV1().ConfigMaps("bookstore").Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				m.mustHold(t, roots, "a", "bookstore")
			})
		})
	}
}

func TestADeletedCopyIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := newRoots(t, "a")
		m := startMesh(t, namespace("bookstore", monitored))
		m.set(t, roots, "a")
		if err := m.client.CoreV1().ConfigMaps("bookstore").Delete(t.Context(), ConfigMapName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.mustHold(t, roots, "a", "bookstore")
	})
}

func TestWhatIsPublishedIsNotWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := newRoots(t, "a")
		m := startMesh(t, namespace("bookstore", monitored))
		m.set(t, roots, "a")
		m.client.ClearActions()
		m.set(t, roots, "a")
		m.Changed("bookstore")
		synctest.Wait()
		mustDo(t, m.client, "")
	})
}

func TestAForeignConfigMapIsLeftAloneAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := newRoots(t, "a")
		m := startMesh(t, namespace("bookstore", monitored), configMap("bookstore", map[string]string{"team": "platform"}, map[string]string{"more": "of it"}))
		m.client.ClearActions()
		m.set(t, roots, "a")
		time.Sleep(10 * time.Minute) // many retries
		synctest.Wait()
		mustDo(t, m.client, "")
		for _, want := range []string{"level=ERROR", "namespace=bookstore", "configmap bookstore/osm-trust-bundle is not the mesh's", "rename or delete it"} {
			if !strings.Contains(m.logged.String(), want) {
				t.Errorf("logged %q, which lacks %q", &m.logged, want)
			}
		}

		if err := m.client.CoreV1().ConfigMaps("bookstore").Delete(t.Context(), ConfigMapName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.mustHold(t, roots, "a", "bookstore")
	})
}

func TestAnAPIServerThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := newRoots(t, "a")
		m := startMesh(t, namespace("bookstore", monitored))
		var down atomic.Bool
		down.Store(true)
		m.client.PrependReactor("create", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return down.Load(), nil, apierrors.NewServiceUnavailable("away")
		})
		m.set(t, roots, "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mustHold(t, roots, "a")
		down.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mustHold(t, roots, "a", "bookstore")
		if !strings.Contains(m.logged.String(), "create configmap bookstore/osm-trust-bundle: away") {
			t.Errorf("logged %s", &m.logged)
		}
	})
}

func TestAnotherReplicaThatWasFirstIsNoError(t *testing.T) {
	roots := newRoots(t, "a")
	resource := corev1.Resource("configmaps")
	terminating := apierrors.NewForbidden(resource, ConfigMapName, errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	tests := map[string]struct {
		verb  string
		err   error
		there []runtime.Object
	}{
		"it created the copy":       {"create", apierrors.NewAlreadyExists(resource, ConfigMapName), nil},
		"the namespace is ending":   {"create", terminating, nil},
		"it updated the copy":       {"update", apierrors.NewConflict(resource, ConfigMapName, errors.New("it has changed")), []runtime.Object{configMap("bookstore", meshLabels, nil)}},
		"somebody deleted the copy": {"update", apierrors.NewNotFound(resource, ConfigMapName), []runtime.Object{configMap("bookstore", meshLabels, nil)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := startMesh(t, append(test.there, namespace("bookstore", monitored))...)
				asked := 0
				m.client.PrependReactor(test.verb, "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
					asked++
					return true, nil, test.err
				})
				m.set(t, roots, "a")
				time.Sleep(time.Hour)
				synctest.Wait()
				if asked != 1 || m.logged.Len() > 0 {
					t.Errorf("asked %d times, logged %q", asked, &m.logged)
				}
			})
		})
	}
}
