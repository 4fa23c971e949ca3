package integration

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

func TestTheMeshFollowsItsMeshConfigWithoutARestart(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, map[string]any{"osm": map[string]any{
		"sidecarImage": "flags/pipy:1", "outboundPortExclusionList": []any{1111}, "inboundPortExclusionList": []any{2222},
	}})
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	objects, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	m := &followed{client, objects.Resource(v1.GroupVersion.WithResource("meshconfigs")).Namespace(mesh.Namespace), ""}
	m.namespace = createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	running := m.controlPlane(t)
	m.pods(t, "the chart's values", "flags/pipy:1", `"inbound":{"port":15003,"excludePorts":[2222,15003,`, `"outbound":{"port":15001,"excludePorts":[53,1111]`)
	t.Run("new pods are as it says", func(t *testing.T) { testNewPods(t, m) })
	t.Run("certificates are as it says", func(t *testing.T) { testCertificates(t, c, m) })
	t.Run("what is wrong is refused, and the field named", func(t *testing.T) { testRefusedSettings(t, m) })
	t.Run("what is wrong all the same changes nothing, and is said", func(t *testing.T) { testInvalidSettings(t, m) })
	t.Run("without it the chart's values count", func(t *testing.T) { testDeletedMeshConfig(t, m) })
	if now := m.controlPlane(t); !slices.Equal(now, running) {
		t.Errorf("pods of the mesh were replaced: %v, now %v", running, now)
	}
}

// followed is a mesh whose MeshConfig is changed.
type followed struct {
	client    kubernetes.Interface
	objects   dynamic.ResourceInterface
	namespace string // of new pods
}

// set has the MeshConfig say that, whether there is one already or not.
func (m *followed) set(t *testing.T, spec string) (generation int64) {
	t.Helper()
	document := `{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshConfig","metadata":{"name":"osm-mesh-config"},"spec":` + spec + `}`
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(document)); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "the MeshConfig is set", func(ctx context.Context) (bool, error) {
		now, err := m.objects.Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			now, err = m.objects.Create(ctx, object, metav1.CreateOptions{})
		} else if err == nil {
			object.SetResourceVersion(now.GetResourceVersion())
			now, err = m.objects.Update(ctx, object, metav1.UpdateOptions{})
		}
		if err == nil {
			generation = now.GetGeneration()
		}
		return err == nil, ignoreConflict(err)
	})
	return generation
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// pods waits until new pods have all that in what was added to them.
func (m *followed) pods(t *testing.T, what string, want ...string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}
	missing := want
	testkit.Condition(t, what, func(ctx context.Context) (bool, error) {
		created, err := m.client.CoreV1().Pods(m.namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return false, err
		}
		encoded, err := json.Marshal(created)
		added := strings.ReplaceAll(string(encoded), `\`, "") // of the JSON in strings
		missing = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.Contains(added, s) })
		return len(missing) == 0, err
	})
	if len(missing) > 0 {
		t.Errorf("%s: new pods lack %q", what, missing)
	}
}

// controlPlane is the pods of the mesh itself, which stay.
func (m *followed) controlPlane(t *testing.T) (pods []string) {
	t.Helper()
	list, err := m.client.CoreV1().Pods(mesh.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range list.Items {
		pods = append(pods, pod.Name)
	}
	slices.Sort(pods)
	return pods
}

// ready waits until the status says that the generation counts.
func (m *followed) ready(t *testing.T, generation int64) {
	t.Helper()
	m.says(t, generation, metav1.ConditionTrue, "")
}

// says waits until the status says of the generation whether it counts, and why.
func (m *followed) says(t *testing.T, generation int64, status metav1.ConditionStatus, why string) {
	t.Helper()
	testkit.Condition(t, "the status says whether the MeshConfig counts", func(ctx context.Context) (bool, error) {
		object, err := m.objects.Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		config := &v1.MeshConfig{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, config); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(config.Status.Conditions, "Ready")
		return config.Status.ObservedGeneration == generation && ready != nil && ready.Status == status && strings.Contains(ready.Message, why), nil
	})
}

func testNewPods(t *testing.T, m *followed) {
	generation := m.set(t, `{
		"sidecar":{"image":"mesh/pipy:2","initImage":"mesh/osm-init:2","logLevel":"debug","resources":{"limits":{"memory":"77Mi"}},"privilegedInitContainer":true},
		"traffic":{"inboundPortExclusions":[],"outboundPortExclusions":[3333],"outboundIPRangeExclusions":["192.0.2.0/24"],"networkInterfaceExclusions":["net7"]}}`)
	m.pods(t, "the MeshConfig", "mesh/pipy:2", "mesh/osm-init:2", `"logLevel":"debug"`, "77Mi", `"privileged":true`,
		`"inbound":{"port":15003,"excludePorts":[15003,`, `"outbound":{"port":15001,"excludePorts":[53,3333]`, "192.0.2.0/24", "net7")
	m.ready(t, generation)
	m.ready(t, m.set(t, `{"sidecar":{"image":"mesh/pipy:3"}}`))
	m.pods(t, "a change, and the chart's values where it says nothing", "mesh/pipy:3", `"inbound":{"port":15003,"excludePorts":[2222,15003,`, `"outbound":{"port":15001,"excludePorts":[53,1111]`)
}

func testCertificates(t *testing.T, c *cluster.Cluster, m *followed) {
	proxy := startProxy(t, c, m.client, deploy(t, m.client, "meshconfig", "before"))
	before, err := proxy.Wait(testkit.Context(t, 30*time.Second), sidecar.State.Ready)
	if err != nil {
		t.Fatal(err)
	}
	if life := time.Until(before.Leaf().NotAfter); life < 23*time.Hour {
		t.Errorf("it lives for %s", life)
	}
	m.ready(t, m.set(t, `{"certificate":{"serviceCertValidityDuration":"1m","keyAlgorithm":"ed25519"}}`))
	isNew := func(s sidecar.State) bool {
		if !s.Ready() {
			return false
		}
		_, ed := s.Leaf().PublicKey.(ed25519.PublicKey)
		return ed && time.Until(s.Leaf().NotAfter) <= time.Minute
	}
	if _, err := startProxy(t, c, m.client, deploy(t, m.client, "meshconfig", "after")).Wait(testkit.Context(t, 30*time.Second), isNew); err != nil {
		t.Errorf("a new identity: %v", err)
	}
	// It lives longer than is asked for now, so that it is replaced in a sixth of that.
	if _, err := proxy.Wait(testkit.Context(t, 30*time.Second), isNew); err != nil {
		t.Errorf("an identity from before: %v", err)
	}
	m.ready(t, m.set(t, `{}`))
}

func testRefusedSettings(t *testing.T, m *followed) {
	for patch, field := range map[string]string{
		`{"spec":{"certificate":{"serviceCertValidityDuration":"30s"}}}`:           "spec.certificate.serviceCertValidityDuration",
		`{"spec":{"sidecar":{"image":"a b"}}}`:                                     "spec.sidecar.image",
		`{"spec":{"sidecar":{"resources":{"limits":{"cpu":"-1"}}}}}`:               "spec.sidecar.resources.limits[cpu]",
		`{"spec":{"traffic":{"outboundIPRangeExclusions":["::ffff:10.0.0.0/8"]}}}`: "spec.traffic.outboundIPRangeExclusions[0]",
	} {
		_, err := m.objects.Patch(t.Context(), v1.MeshConfigName, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v, want a refusal of %s", patch, err, field)
		}
	}
}

// testInvalidSettings stores what the webhook would refuse, as a release before
// it may have done.
func testInvalidSettings(t *testing.T, m *followed) {
	m.ready(t, m.set(t, `{"sidecar":{"image":"mesh/pipy:5"}}`))
	m.pods(t, "the last that is valid", "mesh/pipy:5")
	validate := func(namespace string) {
		t.Helper()
		patch := `{"webhooks":[{"name":"osm-validator.k8s.io","namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"` + namespace + `"}}}]}`
		_, err := m.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), "osm-validator-mesh-osm",
			"application/strategic-merge-patch+json", []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	validate("elsewhere")
	invalid := []byte(`{"spec":{"sidecar":{"image":"a b"}}}`)
	var generation int64
	testkit.Condition(t, "what is wrong is stored", func(ctx context.Context) (bool, error) {
		object, err := m.objects.Patch(ctx, v1.MeshConfigName, "application/merge-patch+json", invalid, metav1.PatchOptions{})
		if err == nil {
			generation = object.GetGeneration()
		}
		return err == nil, nil // the API server learns of it a moment later
	})
	validate(mesh.Namespace)
	m.says(t, generation, metav1.ConditionFalse, "spec.sidecar.image")
	m.pods(t, "the last that was valid", "mesh/pipy:5")
	m.ready(t, m.set(t, `{"sidecar":{"image":"mesh/pipy:6"}}`))
	m.pods(t, "a valid one", "mesh/pipy:6")
}

func testDeletedMeshConfig(t *testing.T, m *followed) {
	m.set(t, `{"sidecar":{"image":"mesh/pipy:4"}}`)
	m.pods(t, "the MeshConfig", "mesh/pipy:4")
	if err := m.objects.Delete(t.Context(), v1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	m.pods(t, "the chart's values", "flags/pipy:1", `"inbound":{"port":15003,"excludePorts":[2222,15003,`, `"outbound":{"port":15001,"excludePorts":[53,1111]`)
}
