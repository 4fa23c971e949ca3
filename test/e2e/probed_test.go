//go:build e2e

package e2e

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probed is a container and its probes, all of one kind. See the app of the
// same kind and number for its ports.
type probed struct {
	name, kind, number string
}

// first and last are of the same kind. The last has hooks.
var (
	first      = probed{"first", "http", "10"}
	last       = probed{"last", "http", "14"}
	allProbed  = []probed{first, {"tls", "https", "11"}, {"tcp", "tcp", "12"}, {"grpc", "grpc", "13"}, last}
	allButLast = allProbed[:len(allProbed)-1]
)

func (p probed) port(n int) int32 {
	port, err := strconv.ParseInt("8"+p.number+strconv.Itoa(n), 10, 32)
	if err != nil {
		panic(err) // of a constant
	}
	return int32(port)
}

func (p probed) container() corev1.Container {
	c := app(p.name, "health", p.kind, p.number)
	if p.kind == "tcp" {
		c.Ports = []corev1.ContainerPort{{Name: "startup", ContainerPort: p.port(1)}, {Name: "readiness", ContainerPort: p.port(2)}, {Name: "liveness", ContainerPort: p.port(3)}}
	} else {
		c.Ports = []corev1.ContainerPort{{Name: "health-" + p.number, ContainerPort: p.port(1)}}
	}
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = p.probe("startup", 120), p.probe("readiness", 1), p.probe("liveness", 3)
	if p == last {
		c.Lifecycle = &corev1.Lifecycle{
			PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/postStart-hook", Port: intstr.FromInt32(first.port(1))}},
			PreStop:   &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/preStop-hook", Port: intstr.FromString("health-" + p.number)}},
		}
	}
	return c
}

func (p probed) probe(aspect string, failures int32) *corev1.Probe {
	probe := &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: failures}
	switch p.kind {
	case "tcp":
		probe.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromString(aspect)}
	case "grpc":
		probe.GRPC = &corev1.GRPCAction{Port: p.port(1), Service: &aspect}
	default:
		probe.HTTPGet = &corev1.HTTPGetAction{
			Path:        "/health/" + aspect,
			Port:        intstr.FromString("health-" + p.number),
			Scheme:      corev1.URIScheme(strings.ToUpper(p.kind)),
			HTTPHeaders: []corev1.HTTPHeader{{Name: "x-asked-by", Value: "kubelet"}},
		}
	}
	return probe
}
