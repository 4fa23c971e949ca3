package injector

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// defaultProbeTimeout is Kubernetes' (SetDefaults_Probe), in seconds.
	defaultProbeTimeout = 1
	// hookTimeout, in seconds, is longer than any hook. The kubelet waits for a
	// postStart without end, and for a preStop as long as the pod may take to
	// terminate: the client that it asks with has no timeout (Kubernetes 1.37,
	// pkg/kubelet/kubelet.go).
	hookTimeout = 24 * 60 * 60
)

// question is a place in a container that tells the kubelet what to ask it.
type question struct {
	name  string // such as liveness
	field string // in the container, as a JSON pointer
	port  uint16 // of the sidecar that takes it
	// handler is nil where nothing is asked.
	handler *corev1.ProbeHandler
	timeout int32 // in seconds
	remove  func(*corev1.Container)
}

// questions are all those of a container.
func questions(c *corev1.Container) [5]question {
	postStart, preStop := hooks(c.Lifecycle)
	return [...]question{
		probeQuestion(c.LivenessProbe, question{
			name: "liveness", field: "/livenessProbe", port: livenessPort,
			remove: func(c *corev1.Container) { c.LivenessProbe = nil },
		}),
		probeQuestion(c.ReadinessProbe, question{
			name: "readiness", field: "/readinessProbe", port: readinessPort,
			remove: func(c *corev1.Container) { c.ReadinessProbe = nil },
		}),
		probeQuestion(c.StartupProbe, question{
			name: "startup", field: "/startupProbe", port: startupPort,
			remove: func(c *corev1.Container) { c.StartupProbe = nil },
		}),
		{
			name: "postStart", field: "/lifecycle/postStart", port: livenessPort, handler: postStart, timeout: hookTimeout,
			remove: func(c *corev1.Container) { c.Lifecycle.PostStart = nil },
		},
		{
			name: "preStop", field: "/lifecycle/preStop", port: livenessPort, handler: preStop, timeout: hookTimeout,
			remove: func(c *corev1.Container) { c.Lifecycle.PreStop = nil },
		},
	}
}

func probeQuestion(probe *corev1.Probe, q question) question {
	if probe == nil {
		return q
	}
	q.handler, q.timeout = &probe.ProbeHandler, max(probe.TimeoutSeconds, defaultProbeTimeout)
	return q
}

func hooks(lifecycle *corev1.Lifecycle) (postStart, preStop *corev1.ProbeHandler) {
	if lifecycle == nil {
		return nil, nil
	}
	return hook(lifecycle.PostStart), hook(lifecycle.PreStop)
}

// hook is a handler that shares its httpGet with h. Of hooks, it is the only
// kind that makes a connection: no kubelet follows a tcpSocket.
func hook(h *corev1.LifecycleHandler) *corev1.ProbeHandler {
	if h == nil || h.HTTPGet == nil || *h != (corev1.LifecycleHandler{HTTPGet: h.HTTPGet}) {
		return nil
	}
	return &corev1.ProbeHandler{HTTPGet: h.HTTPGet}
}

// target is the port of the container that q asks, if it asks one and the pod
// itself. A handler of several kinds is refused by the API server.
func (q question) target(c *corev1.Container) (uint16, bool) {
	if q.handler == nil {
		return 0, false
	}
	switch h, get, tcp, check := *q.handler, q.handler.HTTPGet, q.handler.TCPSocket, q.handler.GRPC; {
	case get != nil && h == corev1.ProbeHandler{HTTPGet: get} && get.Host == "":
		return resolve(get.Port, c)
	case tcp != nil && h == corev1.ProbeHandler{TCPSocket: tcp} && tcp.Host == "":
		return resolve(tcp.Port, c)
	case check != nil && h == corev1.ProbeHandler{GRPC: check}:
		return resolve(intstr.FromInt32(check.Port), c)
	}
	return 0, false
}

// resolve does as the kubelet (Kubernetes 1.37, ResolveContainerPort in
// pkg/probe/util.go): a string is a name, of the first port of this container
// that has it, of whatever protocol. The API server refuses a name without a
// letter, be it a number in quotes or empty, as no port's.
func resolve(port intstr.IntOrString, c *corev1.Container) (uint16, bool) {
	number := port.IntVal
	if port.Type == intstr.String {
		number = 0
		for _, p := range c.Ports {
			if p.Name == port.StrVal && p.Name != "" {
				number = p.ContainerPort
				break
			}
		}
	}
	return uint16(number), number > 0 && number < 1<<16
}

// isSidecarPort tells the ports that the sidecar listens on. It never asks
// itself.
func isSidecarPort(port uint16) bool {
	switch port {
	case adminPort, outboundPort, inboundPort, metricsPort,
		livenessPort, readinessPort, startupPort, tcpProbePort:
		return true
	}
	return false
}
