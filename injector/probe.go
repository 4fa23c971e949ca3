package injector

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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
// probes of another host, and ports that are excluded. It also leaves alone
// what no kubelet can ask, such as a port's name that its container does not
// have, because the API server refuses it, or the kubelet reports it, with
// words of their own. What works without a sidecar, but not through it, is an
// error that names each container and field, and the fix; pod is of no use then.
func rewriteProbes(pod *corev1.Pod, excluded []uint16) ([]Probe, error) {
	var probes []Probe
	var problems []error
	rewrite := func(c *corev1.Container) {
		for _, q := range kubeletProbes(c) {
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
func (q kubeletProbe) probe(c *corev1.Container, excluded []uint16) (Probe, bool, error) {
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
func (q kubeletProbe) redirect(probe Probe) {
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

func (q kubeletProbe) path(c *corev1.Container) string {
	return "/osm/" + c.Name + "/" + q.name
}

// fieldName is the field of the container that q is, such as livenessProbe.
func (q kubeletProbe) fieldName() string {
	return strings.ReplaceAll(q.field[1:], "/", ".")
}

const (
	// defaultProbeTimeout is Kubernetes' (SetDefaults_Probe), in seconds.
	defaultProbeTimeout = 1
	// hookTimeout, in seconds, is longer than any hook. The kubelet waits for a
	// postStart without end, and for a preStop as long as the pod may take to
	// terminate: the client that it asks with has no timeout (Kubernetes 1.37,
	// pkg/kubelet/kubelet.go).
	hookTimeout = 24 * 60 * 60
)

// kubeletProbe is a probe or hook of a container, which the kubelet calls.
type kubeletProbe struct {
	name  string // such as liveness
	field string // in the container, as a JSON pointer
	port  uint16 // of the sidecar that takes it
	// handler is nil where nothing is asked.
	handler *corev1.ProbeHandler
	timeout int32 // in seconds
	remove  func(*corev1.Container)
}

// kubeletProbes are all those of a container.
func kubeletProbes(c *corev1.Container) [5]kubeletProbe {
	postStart, preStop := hooks(c.Lifecycle)
	return [...]kubeletProbe{
		fromProbe(c.LivenessProbe, kubeletProbe{
			name: "liveness", field: "/livenessProbe", port: livenessPort,
			remove: func(c *corev1.Container) { c.LivenessProbe = nil },
		}),
		fromProbe(c.ReadinessProbe, kubeletProbe{
			name: "readiness", field: "/readinessProbe", port: readinessPort,
			remove: func(c *corev1.Container) { c.ReadinessProbe = nil },
		}),
		fromProbe(c.StartupProbe, kubeletProbe{
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

func fromProbe(probe *corev1.Probe, q kubeletProbe) kubeletProbe {
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
func (q kubeletProbe) target(c *corev1.Container) (uint16, bool) {
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

// requestTarget is what the kubelet asks for, path and query, when a probe has
// this path. It begins with a slash, or is empty if the kubelet fails before it
// asks. The kubelet takes the path for a reference of which it replaces scheme
// and host, and for a plain path if it isn't one (Kubernetes 1.37, formatURL in
// pkg/probe/http/request.go): the fragment goes, what needs it is escaped,
// nothing is cleaned.
//
// A user within such a reference becomes a header Authorization in the kubelet,
// which the sidecar's path can't make it send.
func requestTarget(path string) (string, error) {
	if isPlain(path) {
		return path, nil
	}
	reference, err := url.Parse(path)
	if err != nil {
		reference = &url.URL{Path: path}
	}
	if reference.User != nil {
		return "", errors.New("names a user: give it as the header Authorization in httpHeaders")
	}
	reference.Scheme, reference.Host = "http", "pod"
	request, err := url.Parse(reference.String())
	if err != nil || request.Host == "" {
		return "", nil
	}
	return request.RequestURI(), nil
}

// isPlain tells paths that are asked for as they are. It spares most probes
// their parsing.
func isPlain(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	for _, c := range []byte(path) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-._~?=&", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// probesPatch returns the JSON Patch (RFC 6902) from before to after, which are
// the containers at path before and after rewriteProbes or removeRewritten. It
// says nothing of what these don't write, so that fields stay which this version
// of the API does not know.
func probesPatch(path string, before, after []corev1.Container) []operation {
	var operations []operation
	for i := range after {
		old, now := kubeletProbes(&before[i]), kubeletProbes(&after[i])
		for j := range now {
			was, is := old[j].handler, now[j].handler
			if was != nil && (is == nil || is.HTTPGet != nil) {
				operations = appendProbePatch(operations, path+"/"+strconv.Itoa(i)+now[j].field, was, is)
			}
		}
	}
	return operations
}

// appendProbePatch takes out a probe, or has the kubelet ask it by an
// httpGet of which it writes what differs. "add" is right whether the user's
// JSON has a member or leaves it to its default, because it replaces one that is
// there (RFC 6902 section 4.1).
func appendProbePatch(operations []operation, path string, was, is *corev1.ProbeHandler) []operation {
	switch {
	case is == nil:
		return append(operations, remove(path))
	case was.HTTPGet == nil && was.TCPSocket != nil:
		return append(operations, remove(path+"/tcpSocket"), add(path+"/httpGet", is.HTTPGet))
	case was.HTTPGet == nil:
		return append(operations, remove(path+"/grpc"), add(path+"/httpGet", is.HTTPGet))
	}
	old, now := was.HTTPGet, is.HTTPGet
	if old.Path != now.Path {
		operations = append(operations, add(path+"/httpGet/path", now.Path))
	}
	if old.Port != now.Port {
		operations = append(operations, add(path+"/httpGet/port", now.Port.IntVal))
	}
	if old.Scheme != now.Scheme {
		operations = append(operations, add(path+"/httpGet/scheme", now.Scheme))
	}
	return operations
}

func remove(path string) operation {
	return operation{Operation: "remove", Path: path}
}

// removeRewritten takes out what rewriteProbes wrote into a pod that another is
// a copy of, where the annotation that tells what it stood for is lost. That is
// what "kubectl debug --copy-to" makes: it drops the probes of containers by
// itself, but not their hooks, and nothing of init containers (kubectl 1.37,
// pkg/cmd/debug/profiles.go).
func removeRewritten(pod *corev1.Pod) {
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, q := range kubeletProbes(&containers[i]) {
				if q.isRewritten(&containers[i]) {
					q.remove(&containers[i])
				}
			}
		}
	}
}

func (q kubeletProbe) isRewritten(c *corev1.Container) bool {
	port, ok := q.target(c)
	return ok && isSidecarPort(port) && q.handler.HTTPGet != nil && q.handler.HTTPGet.Path == q.path(c)
}
