package injector

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhatIsTheSidecarsIsRefusedByNameWithTheFix(t *testing.T) {
	asUser := func(user int64) *corev1.SecurityContext { return &corev1.SecurityContext{RunAsUser: &user} }
	port := func(number int32, protocol corev1.Protocol) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: number, Protocol: protocol}}
		}
	}
	type conflicting struct {
		edit func(*corev1.Pod)
		want string
	}
	tests := map[string]conflicting{
		"containers of both names": {func(pod *corev1.Pod) {
			pod.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: "osm-sidecar"}}
		}, "containers sidecar and osm-sidecar: the mesh adds one that has one of these names: rename one of yours"},
		"a container of one name, an init container of the other": {func(pod *corev1.Pod) {
			pod.Spec.InitContainers, pod.Spec.Containers[0].Name = []corev1.Container{{Name: "osm-sidecar"}}, "sidecar"
		}, "containers sidecar and osm-sidecar: the mesh adds one"},
		"a container that mounts the sidecar's volume": {func(pod *corev1.Pod) {
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "osm-identity", MountPath: "/stolen"}}
		}, "container app: volumeMounts: osm-identity is the sidecar's alone: mount a volume of another name"},
		"a container named sidecar that mounts it": {func(pod *corev1.Pod) {
			pod.Spec.Containers[0] = corev1.Container{Name: "sidecar", VolumeMounts: []corev1.VolumeMount{{Name: "osm-identity"}}}
		}, "container sidecar: volumeMounts: osm-identity is"},
		"a container named sidecar":        {func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "sidecar" }, ""},
		"an init container named sidecar":  {func(pod *corev1.Pod) { pod.Spec.InitContainers = []corev1.Container{{Name: "sidecar"}} }, ""},
		"a container named osm-sidecar":    {func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "osm-sidecar" }, ""},
		"a container named osm-init":       {func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "osm-init" }, "container osm-init: the mesh adds one"},
		"an init container named osm-init": {func(pod *corev1.Pod) { pod.Spec.InitContainers = []corev1.Container{{Name: "osm-init"}} }, "container osm-init: the mesh adds one"},
		"a volume named osm-identity": {func(pod *corev1.Pod) { pod.Spec.Volumes = []corev1.Volume{{Name: "osm-identity"}} },
			"volume osm-identity: the mesh adds one of this name: rename it"},
		"a token volume of another audience": {func(pod *corev1.Pod) {
			volume := identityVolume("osm-sidecar-0", nil)
			volume.Projected.Sources[0].ServiceAccountToken.Audience = "vault"
			pod.Spec.Volumes = []corev1.Volume{volume}
		}, "volume osm-identity: the mesh adds one"},
		"a proxy label": {func(pod *corev1.Pod) { pod.Labels = map[string]string{ProxyLabel: testProxy} },
			"label osm-proxy-uuid: only the mesh sets it: remove it"},
		"a bootstrap": {func(pod *corev1.Pod) { pod.Annotations = map[string]string{BootstrapAnnotation: "{}"} },
			"annotation openservicemesh.io/sidecar-bootstrap: only the mesh sets it: remove it"},
		"a pod of the sidecar's user": {func(pod *corev1.Pod) {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1500))}
		}, "spec.securityContext.runAsUser: 1500 is the sidecar's user"},
		"a container of the sidecar's user": {func(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext = asUser(1500) },
			"container app: securityContext.runAsUser: 1500 is"},
		"an init container of the sidecar's user": {func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{{Name: "wait", SecurityContext: asUser(1500)}}
		}, "container wait: securityContext.runAsUser: 1500 is"},
		"another user":           {func(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext = asUser(1501) }, ""},
		"a reserved port of UDP": {port(15003, corev1.ProtocolUDP), ""},
		"a port beside them":     {port(15002, corev1.ProtocolTCP), ""},
		"no port at all":         {port(15003+1<<16, corev1.ProtocolTCP), ""},
	}
	for _, number := range []int32{15000, 15001, 15003, 15010, 15901, 15902, 15903, 15904} {
		want := "the sidecar listens on it: have the application listen on another"
		tests[fmt.Sprintf("port %d", number)] = conflicting{port(number, ""), want}
		tests[fmt.Sprintf("port %d of TCP", number)] = conflicting{port(number, corev1.ProtocolTCP), want}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := podWith(corev1.Container{Name: "app"})
			test.edit(pod)
			raw, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			result := testConfig(t).Inject(raw, bookstore(), testProxy)
			if test.want == "" {
				if result.Decision != Injected {
					t.Errorf("%s: %v", result.Decision, result.Err)
				}
				return
			}
			if result.Decision != Refused || result.Reason != conflict || !strings.Contains(result.Err.Error(), test.want) {
				t.Errorf("%s: %s, %v", result.Decision, result.Reason, result.Err)
			}
		})
	}
}

func TestEveryConflictIsNamedAtOnce(t *testing.T) {
	pod := podWith(corev1.Container{Name: "sidecar"}, corev1.Container{Name: "osm-sidecar"}, corev1.Container{Name: "osm-init"})
	pod.Spec.Volumes = []corev1.Volume{{Name: "osm-identity"}}
	err := conflicts(pod)
	for _, want := range []string{"containers sidecar", "container osm-init", "volume osm-identity"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}
