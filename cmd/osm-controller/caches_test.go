package main

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/mesh"
)

func TestOfAPodOnlyWhatAttestationAsksForIsCached(t *testing.T) {
	now := metav1.Now()
	meta := metav1.ObjectMeta{
		Namespace: "bookstore", Name: "bookstore-v2-0", UID: "1", ResourceVersion: "2", DeletionTimestamp: &now,
		Labels: map[string]string{injector.ProxyLabel: "3"},
	}
	want := corev1.Pod{
		ObjectMeta: meta,
		Spec:       corev1.PodSpec{ServiceAccountName: "bookstore-v2"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	whole := want.DeepCopy()
	whole.Labels["app"] = "bookstore"
	whole.Annotations = map[string]string{"note": "long"}
	whole.Spec.Containers = []corev1.Container{{Name: "bookstore", Env: []corev1.EnvVar{{Name: "TOKEN", Value: "secret"}}}}
	object, err := essentials(whole)
	if err != nil {
		t.Fatal(err)
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		t.Fatalf("a %T", object)
	}
	if pod.Spec.Containers != nil || pod.Annotations != nil || !maps.Equal(pod.Labels, meta.Labels) {
		t.Errorf("kept %v", pod)
	}
	if pod.Namespace != meta.Namespace || pod.Name != meta.Name || pod.UID != meta.UID || pod.ResourceVersion != meta.ResourceVersion ||
		pod.DeletionTimestamp == nil || pod.Spec.ServiceAccountName != want.Spec.ServiceAccountName || pod.Status.Phase != want.Status.Phase {
		t.Errorf("kept %v, want %v", pod, want)
	}
	if whole.Spec.Containers == nil {
		t.Error("the pod that was given is changed")
	}
}

func TestOfAnEndpointSliceAddressesPortsAndItsServiceAreCached(t *testing.T) {
	of := map[string]string{discoveryv1.LabelServiceName: "bookstore"}
	ports := []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080)), AppProtocol: new("http")}}
	whole := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bookstore", Name: "bookstore-1", Labels: maps.Clone(of), Annotations: map[string]string{"note": "long"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, NodeName: new("node"), TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "bookstore-0", UID: "1"}}},
		Ports:      ports,
	}
	whole.Labels["app"] = "bookstore"
	object, err := endpointAddresses(whole)
	if err != nil {
		t.Fatal(err)
	}
	want := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bookstore", Name: "bookstore-1", Labels: of},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "bookstore-0"}}},
		Ports:      ports,
	}
	if !reflect.DeepEqual(object, want) {
		t.Errorf("kept %+v", object)
	}
}

func TestWhateverDecidesOnABundleIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		c := newCaches(client, rotation.ConfigMapName, "osm-other")
		changed := make(chan string, 10)
		c.follow(rotation.ConfigMapName, func(namespace string) { changed <- namespace })
		if c.synced() {
			t.Error("synced before the start")
		}
		if !c.start(t.Context()) || !c.synced() {
			t.Error("not synced after the start")
		}
		t.Cleanup(c.wait)

		namespaces, bundles := client.CoreV1().Namespaces(), client.CoreV1().ConfigMaps("bookstore")
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "bookstore", Name: rotation.ConfigMapName}}
		steps := map[string]func() error{
			"a namespace comes": func() error {
				_, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookstore"}}, metav1.CreateOptions{})
				return err
			},
			"its copy comes":   func() error { _, err := bundles.Create(t.Context(), cm, metav1.CreateOptions{}); return err },
			"its copy changes": func() error { _, err := bundles.Update(t.Context(), cm, metav1.UpdateOptions{}); return err },
			"its copy goes":    func() error { return bundles.Delete(t.Context(), cm.Name, metav1.DeleteOptions{}) },
		}
		for _, step := range []string{"a namespace comes", "its copy comes", "its copy changes", "its copy goes"} {
			if err := steps[step](); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := drain(changed); !slices.Equal(got, []string{"bookstore"}) {
				t.Errorf("when %s, told of %q", step, got)
			}
		}
	})
}

func drain(names <-chan string) []string {
	var all []string
	for {
		select {
		case name := <-names:
			all = append(all, name)
		default:
			return all
		}
	}
}

func TestAPodRunsOnceItsSidecarDoesUnderEitherName(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	identity := []corev1.VolumeMount{{Name: mesh.IdentityVolume}}
	for name, test := range map[string]struct {
		init []corev1.Container
		runs string
		want corev1.PodPhase
	}{
		"the usual name":                    {[]corev1.Container{{Name: "sidecar", VolumeMounts: identity}}, "sidecar", corev1.PodRunning},
		"the other name":                    {[]corev1.Container{{Name: "sidecar"}, {Name: "osm-sidecar", VolumeMounts: identity}}, "osm-sidecar", corev1.PodRunning},
		"the application's, of the name":    {[]corev1.Container{{Name: "sidecar"}, {Name: "osm-sidecar", VolumeMounts: identity}}, "sidecar", corev1.PodPending},
		"a pod without a sidecar of a mesh": {[]corev1.Container{{Name: "sidecar"}}, "sidecar", corev1.PodPending},
	} {
		pod := &corev1.Pod{
			Spec:   corev1.PodSpec{InitContainers: test.init},
			Status: corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{{Name: test.runs, State: running}}},
		}
		if got := phase(pod); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
