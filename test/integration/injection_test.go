package integration

import (
	"net"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	monitored = "openservicemesh.io/monitored-by"
	ignored   = "openservicemesh.io/ignore"
	injection = "openservicemesh.io/sidecar-injection"
)

func testInjection(t *testing.T, client kubernetes.Interface) {
	tests := []struct {
		name        string
		namespace   string
		labels      map[string]string
		nsInjection string
		injection   string
		hostNetwork bool
		injected    bool
		refused     string
	}{
		{name: "a labelled namespace", labels: map[string]string{monitored: "osm"}, injected: true},
		{name: "a labelled namespace that says yes", labels: map[string]string{monitored: "osm"}, nsInjection: "enabled", injected: true},
		{name: "a pod that says no", labels: map[string]string{monitored: "osm"}, injection: "disabled"},
		{name: "a namespace that says no", labels: map[string]string{monitored: "osm"}, nsInjection: "no"},
		{name: "a pod that says yes in a namespace that says no", labels: map[string]string{monitored: "osm"}, nsInjection: "false", injection: "true", injected: true},
		{name: "a pod that says maybe", labels: map[string]string{monitored: "osm"}, injection: "maybe", refused: injection},
		{name: "a namespace of another mesh", labels: map[string]string{monitored: "other"}, injection: "yes"},
		{name: "an unlabelled namespace", injection: "yes"},
		{name: "an ignored namespace", labels: map[string]string{monitored: "osm", ignored: ""}, injection: "yes"},
		{name: "the host's network", labels: map[string]string{monitored: "osm"}, injection: "yes", hostNetwork: true},
		{name: "kube-system", namespace: "kube-system", injection: "yes"},
		{name: "the mesh namespace", namespace: "osm-system", injection: "yes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			namespace := test.namespace
			if namespace == "" {
				namespace = createNamespace(t, client, test.labels, test.nsInjection)
			}
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"},
				Spec: corev1.PodSpec{
					HostNetwork:                  test.hostNetwork,
					AutomountServiceAccountToken: new(false),
					Containers:                   []corev1.Container{{Name: "app", Image: "example/app:1"}},
				},
			}
			if test.injection != "" {
				pod.Annotations = map[string]string{injection: test.injection}
			}
			dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
			created, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("got %v, want a refusal that names %s", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := hasSidecar(created); got != test.injected {
				t.Errorf("injected: %t, want %t", got, test.injected)
			}
			if !test.injected && (len(created.Spec.Volumes) > 0 || created.Labels[injector.ProxyLabel] != "") {
				t.Error("the pod was changed")
			}
		})
	}
	t.Run("an injected pod's manifest changes nothing when it is created again", func(t *testing.T) {
		namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "app"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
		}
		first, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		first.ResourceVersion, first.UID, first.Status = "", "", corev1.PodStatus{}
		second, err := client.CoreV1().Pods(namespace).Create(t.Context(), first.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		if len(second.Spec.Containers) != 1 || len(second.Spec.InitContainers) != 2 || len(second.Spec.Volumes) != len(first.Spec.Volumes) ||
			second.Labels[injector.ProxyLabel] != first.Labels[injector.ProxyLabel] {
			t.Errorf("the pod has %d containers, %d init containers and %d volumes",
				len(second.Spec.Containers), len(second.Spec.InitContainers), len(second.Spec.Volumes))
		}
	})
	t.Run("a sidecar is told the addresses of osm-controller's Service beside its name", func(t *testing.T) {
		service, err := client.CoreV1().Services("osm-system").Get(t.Context(), "osm-controller", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "app"},
			Spec:       corev1.PodSpec{DNSPolicy: corev1.DNSDefault, Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
		}
		created, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		bootstrap, err := injector.ParseBootstrap([]byte(created.Annotations[injector.BootstrapAnnotation]))
		if err != nil {
			t.Fatal(err)
		}
		if name := "osm-controller.osm-system.svc.cluster.local.:15128"; bootstrap.SDS.Address != name {
			t.Errorf("its name is %s, want %s", bootstrap.SDS.Address, name)
		}
		for _, ip := range service.Spec.ClusterIPs {
			if address := net.JoinHostPort(ip, "15128"); !slices.Contains(bootstrap.SDS.Fallbacks, address) {
				t.Errorf("its fallbacks are %q, want %s among them", bootstrap.SDS.Fallbacks, address)
			}
		}
	})
}

// testNames is of pods whose containers have the sidecar's name already, as those
// of some operators do.
func testNames(t *testing.T, client kubernetes.Interface) {
	named := func(names ...string) (containers []corev1.Container) {
		for _, name := range names {
			containers = append(containers, corev1.Container{Name: name, Image: "example/app:1"})
		}
		return containers
	}
	tests := map[string]struct {
		init, containers []corev1.Container
		want, refused    string
	}{
		"no container of the name":        {containers: named("app"), want: "sidecar"},
		"a container named sidecar":       {containers: named("mysql", "sidecar"), want: "osm-sidecar"},
		"an init container named sidecar": {init: named("sidecar"), containers: named("mysql"), want: "osm-sidecar"},
		"a container named osm-sidecar":   {containers: named("osm-sidecar"), want: "sidecar"},
		"both names":                      {containers: named("sidecar", "osm-sidecar"), refused: "containers sidecar and osm-sidecar"},
		"osm-init":                        {init: named("osm-init"), containers: named("app"), refused: "container osm-init"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
			create := func(pod *corev1.Pod) (*corev1.Pod, error) {
				return client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			}
			pod, err := create(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Spec: corev1.PodSpec{InitContainers: test.init, Containers: test.containers}})
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("got %v, want a refusal that names %s", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := mesh.SidecarName(pod); got != test.want {
				t.Errorf("the sidecar is %q, want %q", got, test.want)
			}
			// The manifest of a pod that runs is that of an injected one.
			again := pod.DeepCopy()
			again.ResourceVersion, again.UID, again.Status = "", "", corev1.PodStatus{}
			if again, err = create(again); err != nil || len(again.Spec.InitContainers) != len(pod.Spec.InitContainers) || mesh.SidecarName(again) != test.want {
				t.Errorf("again: %v, %+v", err, again)
			}
			// kubectl debug --copy-to leaves labels and annotations out.
			again = pod.DeepCopy()
			again.ObjectMeta, again.Status = metav1.ObjectMeta{Name: "copy"}, corev1.PodStatus{}
			if again, err = create(again); err != nil || len(again.Spec.InitContainers) != len(pod.Spec.InitContainers) || mesh.SidecarName(again) != test.want {
				t.Errorf("a copy: %v, %+v", err, again)
			}
		})
	}
}

func hasSidecar(pod *corev1.Pod) bool {
	return mesh.SidecarName(pod) != ""
}

// createNamespace creates a namespace and the default service account that a
// controller would create a moment later.
func createNamespace(t *testing.T, client kubernetes.Interface, labels map[string]string, says string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels}}
	if says != "" {
		namespace.Annotations = map[string]string{injection: says}
	}
	created, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, client, created.Name)
	return created.Name
}
