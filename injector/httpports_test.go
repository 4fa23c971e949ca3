package injector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// toldHTTP returns the httpPorts of the Bootstrap that a pod gets.
func toldHTTP(t *testing.T, config *Config, pod *corev1.Pod) ([]uint16, Result) {
	t.Helper()
	pod.ObjectMeta.Name = "app"
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	result := config.Inject(raw, bookstore(), testProxy)
	if result.Decision != Injected {
		return nil, result
	}
	var injected corev1.Pod
	if err := json.Unmarshal(applied(t, raw, result.Patch), &injected); err != nil {
		t.Fatal(err)
	}
	bootstrap, err := ParseBootstrap([]byte(injected.Annotations[BootstrapAnnotation]))
	if err != nil {
		t.Fatal(err)
	}
	return bootstrap.HTTPPorts, result
}

func withPorts(name string, ports ...corev1.ContainerPort) corev1.Container {
	return corev1.Container{Name: name, Image: "example.test/app:v1", Ports: ports}
}

func TestASidecarIsToldWhichPortsAreDeclaredHTTP(t *testing.T) {
	tests := map[string]struct {
		annotation string
		init, main []corev1.Container
		want       []uint16
	}{
		"none": {"", nil, []corev1.Container{withPorts("app", corev1.ContainerPort{ContainerPort: 80}, corev1.ContainerPort{Name: "https", ContainerPort: 443})}, nil},
		"by name, in order": {"", nil, []corev1.Container{withPorts("app",
			corev1.ContainerPort{Name: "http-web", ContainerPort: 9090}, corev1.ContainerPort{Name: "grpc", ContainerPort: 8080, Protocol: corev1.ProtocolTCP})},
			[]uint16{8080, 9090}},
		"in two containers": {"", nil, []corev1.Container{
			withPorts("a", corev1.ContainerPort{Name: "http", ContainerPort: 8080}),
			withPorts("b", corev1.ContainerPort{Name: "http", ContainerPort: 8081}, corev1.ContainerPort{Name: "http2", ContainerPort: 8080}),
		}, []uint16{8080, 8081}},
		"of init containers": {"", []corev1.Container{
			withPorts("once", corev1.ContainerPort{Name: "http", ContainerPort: 7000}),
			func() corev1.Container {
				c := withPorts("native", corev1.ContainerPort{Name: "http", ContainerPort: 7001})
				c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
				return c
			}(),
		}, []corev1.Container{withPorts("app")}, []uint16{7000, 7001}},
		"of another protocol": {"", nil, []corev1.Container{withPorts("app",
			corev1.ContainerPort{Name: "http3", ContainerPort: 443, Protocol: corev1.ProtocolUDP},
			corev1.ContainerPort{Name: "http", ContainerPort: 80, Protocol: corev1.ProtocolUDP},
			corev1.ContainerPort{Name: "http-s", ContainerPort: 81, Protocol: corev1.ProtocolSCTP})}, nil},
		"by the annotation":            {"9090, 8080,9090", nil, []corev1.Container{withPorts("app")}, []uint16{8080, 9090}},
		"by the annotation and a name": {"9090", nil, []corev1.Container{withPorts("app", corev1.ContainerPort{Name: "http", ContainerPort: 80})}, []uint16{80, 9090}},
		"by an empty annotation":       {" ", nil, []corev1.Container{withPorts("app")}, nil},
		"a port that is none":          {"", nil, []corev1.Container{withPorts("app", corev1.ContainerPort{Name: "http", ContainerPort: 65536 + 80}, corev1.ContainerPort{Name: "http", ContainerPort: -1})}, nil},
	}
	for name, test := range tests {
		for _, mode := range []Interception{NFTables, NoInterception} {
			for _, placement := range []Placement{Native, Container} {
				t.Run(fmt.Sprintf("%s/%s/%s", name, mode, placement), func(t *testing.T) {
					pod := &corev1.Pod{Spec: corev1.PodSpec{InitContainers: test.init, Containers: test.main}}
					if test.annotation != "" {
						pod.Annotations = map[string]string{HTTPPortsAnnotation: test.annotation}
					}
					config := testConfig(t, func(s *Settings) { s.Interception, s.Placement = mode, placement })
					got, result := toldHTTP(t, config, pod)
					if result.Decision != Injected || !slices.Equal(got, test.want) {
						t.Errorf("%s, %v: told %v, want %v", result.Decision, result.Err, got, test.want)
					}
				})
			}
		}
	}
}

func TestABadListOfHTTPPortsIsRefused(t *testing.T) {
	for value, want := range map[string]string{
		"http":                     `"http" is not a port`,
		"80,":                      `"" is not a port`,
		"0":                        `"0" is not a port`,
		"65536":                    `"65536" is not a port`,
		"8080-8090":                `"8080-8090" is not a port`,
		"80,15003":                 "the sidecar listens on port 15003",
		"15901":                    "the sidecar listens on port 15901",
		strings.Repeat("1,", 5000): "a list of",
	} {
		t.Run(want, func(t *testing.T) {
			_, err := overridesOf(t, testConfig(t), says{"http-port-list": value}, nil)
			refusedWith(t, err, "pod bookstore/bookstore-v2: annotation openservicemesh.io/http-port-list: ", want)
		})
	}
}

func TestAPodDeclaresSoManyHTTPPortsAndNoMore(t *testing.T) {
	for declared, want := range map[int]Decision{maxHTTPPorts: Injected, maxHTTPPorts + 1: Refused} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{}, Spec: corev1.PodSpec{Containers: []corev1.Container{withPorts("app")}}}
		for i := range declared {
			pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports,
				corev1.ContainerPort{Name: fmt.Sprintf("http-%d", i), ContainerPort: int32(20000 + i)})
		}
		got, result := toldHTTP(t, testConfig(t), pod)
		if result.Decision != want || want == Injected && len(got) != declared {
			t.Errorf("%d ports: %s, %v, told of %d", declared, result.Decision, result.Err, len(got))
		}
		if want == Refused {
			refusedWith(t, result.Err, "pod bookstore/app", "1025 ports", "at most 1024")
		}
	}
}
