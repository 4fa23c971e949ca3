package injector

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// rewriteProbes has the kubelet ask the sidecar what it would ask the
// application, and returns what the sidecar then asks in its place, in the
// order of the containers. It changes the containers of pod and all they point
// to, so pod must be a copy, and one without the containers of ours.
//
// It leaves alone what interception does not keep from working: commands,
// questions to another host, and ports that are excluded. It also leaves alone
// what no kubelet can ask, such as a port's name that its container does not
// have, because the API server refuses it, or the kubelet reports it, with
// words of their own. What works without a sidecar, but not through it, is an
// error that names each container and field, and the fix; pod is of no use then.
func rewriteProbes(pod *corev1.Pod, excluded []uint16) ([]Probe, error) {
	var probes []Probe
	var problems []error
	rewrite := func(c *corev1.Container) {
		for _, q := range questions(c) {
			probe, asked, err := q.probe(c, excluded)
			if err != nil {
				problems = append(problems, fmt.Errorf("container %s: %s%w", c.Name, q.fieldName(), err))
			} else if asked {
				probes = append(probes, probe)
				q.redirect(probe)
			}
		}
	}
	for i := range pod.Spec.InitContainers {
		if c := &pod.Spec.InitContainers[i]; isNativeSidecar(c) {
			rewrite(c)
		}
	}
	for i := range pod.Spec.Containers {
		rewrite(&pod.Spec.Containers[i])
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return probes, nil
}

// isNativeSidecar tells the init containers that are probed: the others are
// refused by the API server if they have a probe or a hook.
func isNativeSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// probe is what the sidecar asks the application for q, if it has to.
func (q question) probe(c *corev1.Container, excluded []uint16) (Probe, bool, error) {
	target, ok := q.target(c)
	switch {
	case !ok:
		return Probe{}, false, nil
	case isSidecarPort(target):
		return Probe{}, false, fmt.Errorf(": port %d is the sidecar's: ask the application's own "+
			"(a copy of an injected pod has the sidecar's in its place)", target)
	case slices.Contains(excluded, target):
		return Probe{}, false, nil
	}
	probe := Probe{Port: q.port, Path: q.path(c), Target: target, TimeoutSeconds: q.timeout}
	var err error
	switch h := q.handler; {
	case h.HTTPGet != nil:
		err = probe.asHTTP(h.HTTPGet)
	case h.GRPC != nil:
		err = probe.asGRPC(h.GRPC)
	default:
		probe.Kind, probe.Port = TCPProbe, tcpProbePort
	}
	return probe, probe.Kind != "", err
}

// asHTTP leaves p without a kind if the kubelet can't ask so. Of a protocol that
// hooks name, the kubelet of Kubernetes 1.37 takes no notice; one that does
// would not be understood by the sidecar.
func (p *Probe) asHTTP(get *corev1.HTTPGetAction) error {
	if protocol := get.Protocol; protocol != nil && *protocol != corev1.HTTPProtocolHTTP1 {
		return fmt.Errorf(".httpGet.protocol: the sidecar asks by HTTP1, not by %q: leave it out, or %s", *protocol, p.exclude())
	}
	path, err := requestTarget(get.Path)
	if err != nil {
		return fmt.Errorf(".httpGet.path: %w", err)
	}
	if path == "" {
		return nil
	}
	p.TargetPath = path
	p.Headers = headerNames(get.HTTPHeaders)
	switch get.Scheme {
	case corev1.URISchemeHTTP, "": // as SetDefaults_HTTPGetAction has it
		p.Kind = HTTPProbe
	case corev1.URISchemeHTTPS:
		p.Kind = HTTPSProbe
	}
	return nil
}

// headerNames are those of the headers, each once, as the kubelet writes them.
func headerNames(headers []corev1.HTTPHeader) []string {
	var names []string
	for _, header := range headers {
		names = append(names, http.CanonicalHeaderKey(header.Name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *Probe) asGRPC(check *corev1.GRPCAction) error {
	if mode := check.Mode; mode != nil && *mode != corev1.GRPCProbeModePlaintext {
		return fmt.Errorf(".grpc.mode: the sidecar asks by Plaintext, not by %q: leave it out, or %s", *mode, p.exclude())
	}
	p.Kind = GRPCProbe
	if check.Service != nil {
		p.Service = *check.Service
	}
	return nil
}

func (p *Probe) exclude() string {
	return fmt.Sprintf("add port %d to the annotation %s", p.Target, inboundPortsAnnotation)
}

// redirect has q ask for probe. Headers stay: the sidecar passes those on that
// the probe names.
func (q question) redirect(probe Probe) {
	get := q.handler.HTTPGet
	if get == nil {
		get = &corev1.HTTPGetAction{}
		*q.handler = corev1.ProbeHandler{HTTPGet: get}
	}
	get.Path = probe.Path
	get.Port = intstr.FromInt32(int32(probe.Port))
	if get.Scheme != "" {
		get.Scheme = corev1.URISchemeHTTP
	}
}

func (q question) path(c *corev1.Container) string {
	return "/osm/" + c.Name + "/" + q.name
}

// fieldName is the field of the container that q is, such as livenessProbe.
func (q question) fieldName() string {
	return strings.ReplaceAll(q.field[1:], "/", ".")
}
