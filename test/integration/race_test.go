package integration

import (
	"context"
	"crypto/x509"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/render"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/trust"
)

func TestFiftyBootstrapsAndFiveControllersAgreeOnOneRootAndOnTheNext(t *testing.T) {
	c, client := startWithoutDeployments(t)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	seen := watchRoots(t, client)
	objects, err := render.Chart(render.Options{Namespace: mesh.Namespace, Values: map[string]any{"osm": map[string]any{
		"osmBootstrap": map[string]any{"replicaCount": 50}, "osmController": map[string]any{"replicaCount": 5},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() != "Deployment" || o.GetName() == "osm-injector"
	})
	if err := mesh.Apply(t.Context(), c.Config(), objects); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"osm-bootstrap", "osm-controller"} {
		if err := mesh.WaitRollout(within(t, 2*time.Minute), client, mesh.Namespace, name); err != nil {
			t.Fatal(err)
		}
	}
	root := awaitServing(t, client, nil)
	first := issuer.NewTrustBundle(parseCertificate(t, root))
	seen.await(t, first)

	deleteSecret(t, client, rootSecret)
	root = awaitServing(t, client, nil)
	seen.await(t, first.Union(issuer.NewTrustBundle(parseCertificate(t, root))))
}

// seenRoots is every root that was ever in the root's Secret, and in the record of
// what is trusted.
type seenRoots struct {
	mu             sync.Mutex
	secret, record issuer.TrustBundle
}

func watchRoots(t *testing.T, client kubernetes.Interface) *seenRoots {
	t.Helper()
	s := &seenRoots{}
	options := func(name string) metav1.ListOptions {
		return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
	}
	secrets, err := client.CoreV1().Secrets(mesh.Namespace).Watch(t.Context(), options(rootSecret))
	if err != nil {
		t.Fatal(err)
	}
	records, err := client.CoreV1().ConfigMaps(mesh.Namespace).Watch(t.Context(), options(trust.ConfigMapName))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []watch.Interface{secrets, records} {
		go func() {
			for event := range w.ResultChan() {
				s.add(t, event)
			}
		}()
		t.Cleanup(w.Stop)
	}
	return s
}

func (s *seenRoots) add(t *testing.T, event watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parse := func(data []byte) issuer.TrustBundle {
		roots, err := issuer.ParseTrustBundle(data)
		if err != nil {
			t.Error(err)
		}
		return roots
	}
	switch object := event.Object.(type) {
	case *corev1.Secret:
		s.secret = s.secret.Union(parse(object.Data["ca.crt"]))
	case *corev1.ConfigMap:
		s.record = s.record.Union(parse([]byte(object.Data[trust.BundleKey])))
	}
}

// await waits until just these roots were ever seen.
func (s *seenRoots) await(t *testing.T, want issuer.TrustBundle) {
	t.Helper()
	eventually(t, "the roots are seen everywhere", func(context.Context) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return holdsAll(s.secret, want) && holdsAll(s.record, want), nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.secret.Equal(want) || !s.record.Equal(want) {
		t.Errorf("seen were %s in the Secret and %s in the record, want %s", s.secret, s.record, want)
	}
}

func holdsAll(all, some issuer.TrustBundle) bool {
	return !slices.ContainsFunc(some.Roots(), func(root *x509.Certificate) bool { return !slices.ContainsFunc(all.Roots(), root.Equal) })
}
