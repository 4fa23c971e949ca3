package integration

import (
	"bytes"
	"context"
	"crypto/x509"
	"maps"
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

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/render"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestFiftyBootstrapsAndFiveControllersMakeOneRootAndAnotherAndEndEqual(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	seen := watchRoots(t, client)
	runTogether(t, c, client)
	root := readRoot(t, client).Certificate
	first := trustbundle.New(root)
	seen.await(t, first)
	before := snapshot(t, client)
	mustServeFrom(t, client, root)
	for what, bundle := range before.bundles {
		if want := encode(root); !bytes.Equal(bundle, want) {
			t.Errorf("%s has caBundle\n%s\nwant\n%s", what, bundle, want)
		}
	}
	if n := len(before.bundles); n != 4 {
		t.Errorf("%d caBundles are set, want 4", n)
	}
	t.Run("and five more change no byte", func(t *testing.T) {
		bootstrapOnce(t, c, client, "again", 5)
		if after := snapshot(t, client); !maps.Equal(before.versions, after.versions) {
			t.Errorf("resource versions were\n%v\nand are\n%v", before.versions, after.versions)
		}
	})
	t.Run("and all make one when it is deleted", func(t *testing.T) {
		deleteSecret(t, client, rootSecret)
		awaitServing(t, client, nil)
		second := readRoot(t, client).Certificate
		seen.await(t, first.Union(trustbundle.New(second)))
		mustServeFrom(t, client, second)
	})
}

// runTogether runs fifty of osm-bootstrap and five of osm-controller.
func runTogether(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	t.Helper()
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
		if err := mesh.WaitRollout(testkit.Context(t, 3*time.Minute), client, mesh.Namespace, name); err != nil {
			t.Fatal(err)
		}
	}
}

func mustServeFrom(t *testing.T, client kubernetes.Interface, root *x509.Certificate) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root)
	for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
		secret := getSecret(t, client, service+"-tls")
		leaf := parseCertificate(t, secret.Data[corev1.TLSCertKey])
		host := service + ".osm-system.svc"
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool}); err != nil || leaf.Subject.CommonName != host {
			t.Errorf("secret %s holds the certificate of %q: %v", secret.Name, leaf.Subject.CommonName, err)
		}
	}
}

// seenRoots is every root that was ever in the root's Secret, and in the record of
// what is trusted.
type seenRoots struct {
	mu             sync.Mutex
	secret, record trustbundle.TrustBundle
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
	records, err := client.CoreV1().ConfigMaps(mesh.Namespace).Watch(t.Context(), options(rotation.ConfigMapName))
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
	parse := func(data []byte) trustbundle.TrustBundle {
		roots, err := trustbundle.Parse(data)
		if err != nil {
			t.Error(err)
		}
		return roots
	}
	switch object := event.Object.(type) {
	case *corev1.Secret:
		s.secret = s.secret.Union(parse(object.Data["ca.crt"]))
	case *corev1.ConfigMap:
		s.record = s.record.Union(parse([]byte(object.Data[rotation.BundleKey])))
	}
}

// await waits until just these roots were ever seen.
func (s *seenRoots) await(t *testing.T, want trustbundle.TrustBundle) {
	t.Helper()
	testkit.Condition(t, "the roots are seen everywhere", func(context.Context) (bool, error) {
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

func holdsAll(all, some trustbundle.TrustBundle) bool {
	return !slices.ContainsFunc(some.Roots(), func(root *x509.Certificate) bool { return !all.Contains(root) })
}
