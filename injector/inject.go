package injector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

// Inject tells what becomes of a pod, given as JSON, that is about to be created
// in namespace; proxy is the id of its sidecar, a UUID, if it gets one, and ranges
// are the LimitRanges of the namespace, as far as they are known. The Patch of the Result says what changes, so fields that this package does not
// know stay. This is all that a Handler does with a pod, and needs no cluster.
func (c *Config) Inject(raw []byte, namespace *corev1.Namespace, proxy string, ranges ...*corev1.LimitRange) Result {
	if reason := outside(namespace, c); reason != "" {
		return skipped(reason) // the pod is not even read
	}
	pod, err := readPod(raw)
	if err != nil {
		return failed(badRequest, err)
	}
	result := c.inject(pod, surroundings{namespace, ranges}, proxy)
	result.Pod = podName(pod, namespace.Name)
	result.decoded = pod
	if result.Decision == Injected && lacksMetadata(pod, raw) {
		result.Patch = append([]operation{add("/metadata", struct{}{})}, result.Patch...)
	}
	return result
}

// surroundings are what a pod is about to be created in.
type surroundings struct {
	namespace *corev1.Namespace
	ranges    []*corev1.LimitRange
}

// inject decides about pod and, if it is to join the mesh, has it join.
func (c *Config) inject(pod *corev1.Pod, in surroundings, proxy string) Result {
	decision, err := decide(pod, in.namespace, c)
	if err != nil {
		return refused(badAnnotation, err)
	}
	if decision.inject && len(pod.Spec.Containers) == 0 {
		// The API server refuses it, and would not if it had a sidecar.
		return skipped(noContainers)
	}
	if !decision.inject {
		result := skipped(decision.reason)
		result.Warnings = skipWarnings(decision.reason)
		return result
	}
	result := c.join(pod, in, proxy)
	if result.Decision == Injected {
		result.Reason = decision.reason
	}
	return result
}

// lacksMetadata tells templates of pods without names and the like: to the
// patch, their metadata may be absent. What API servers send has it.
func lacksMetadata(pod *corev1.Pod, raw []byte) bool {
	if podName(pod, "") != "/*" || len(pod.Labels)+len(pod.Annotations) > 0 {
		return false
	}
	var object struct {
		Metadata *struct{} `json:"metadata"`
	}
	return json.Unmarshal(raw, &object) == nil && object.Metadata == nil
}

// join gives pod its sidecar, if it does not have it yet.
func (c *Config) join(pod *corev1.Pod, in surroundings, proxy string) Result {
	namespace := in.namespace
	name := podName(pod, namespace.Name)
	id, err := podIdentity(pod, namespace.Name, c)
	if err != nil {
		return refused(badIdentity, fmt.Errorf("pod %s: %w", name, err))
	}
	state := injectionStateOf(pod)
	if state.whole(c) {
		if err := ownSidecar(pod, id); err != nil {
			return refused(conflict, fmt.Errorf("pod %s: %w", name, err))
		}
		result := skipped(alreadyInjected)
		result.Warnings = c.versionWarnings(pod)
		return result
	}
	bare, removal, warnings := pod, []operation(nil), []string(nil)
	if state.volume {
		bare, removal, warnings = strip(pod)
	}
	if err := conflicts(bare); err != nil {
		return refused(conflict, fmt.Errorf("pod %s: %w", name, err))
	}
	result := c.equip(bare, in, newBootstrap(c, id, proxy))
	if result.Decision == Injected {
		result.Patch = append(removal, result.Patch...)
		result.Warnings = shown(append(warnings, result.Warnings...))
	}
	return result
}

// equip gives a pod that has none the sidecar that bootstrap is for.
func (c *Config) equip(pod *corev1.Pod, in surroundings, bootstrap Bootstrap) Result {
	namespace := in.namespace
	chosen, err := readOverrides(pod, namespace, c)
	if err != nil {
		return refused(badAnnotation, err)
	}
	bootstrap.HTTPPorts, err = declaredHTTP(pod, chosen.httpPorts)
	if err != nil {
		return refused(badPorts, fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err))
	}
	redirection, err := c.redirectProbes(pod, chosen, &bootstrap)
	if err != nil {
		return refused(badProbe, fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err))
	}
	needed, warnings := need(pod, chosen, in.ranges)
	chosen.resources, chosen.warnings = needed, append(chosen.warnings, warnings...)
	additions, err := c.additions(pod, chosen, bootstrap)
	if err != nil {
		return failed(internal, fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err))
	}
	return Result{
		Decision: Injected,
		Proxy:    bootstrap.Proxy,
		// The indices of the redirection are those before the additions.
		Patch:    append(redirection, additions.patch(pod)...),
		Warnings: append(c.warnings(pod, namespace), chosen.warnings...),
	}
}

// redirectProbes has the kubelet ask the sidecar of bootstrap what it would ask
// the pod's containers, if what comes to them is intercepted.
func (c *Config) redirectProbes(pod *corev1.Pod, chosen overrides, bootstrap *Bootstrap) ([]operation, error) {
	if c.settings.Interception == NoInterception {
		return nil, nil
	}
	redirected := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: withOwnQuestions(pod.Spec.InitContainers),
		Containers:     withOwnQuestions(pod.Spec.Containers),
	}}
	probes, err := rewriteProbes(redirected, chosen.inboundPorts)
	if err != nil {
		return nil, err
	}
	bootstrap.Probes = probes
	return append(
		probesPatch("/spec/initContainers", pod.Spec.InitContainers, redirected.Spec.InitContainers),
		probesPatch("/spec/containers", pod.Spec.Containers, redirected.Spec.Containers)...), nil
}

// withOwnQuestions copies containers as far as rewriteProbes changes them.
func withOwnQuestions(containers []corev1.Container) []corev1.Container {
	copies := slices.Clone(containers)
	for i := range copies {
		c := &copies[i]
		c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = c.LivenessProbe.DeepCopy(), c.ReadinessProbe.DeepCopy(), c.StartupProbe.DeepCopy()
		c.Lifecycle = c.Lifecycle.DeepCopy()
	}
	return copies
}

// podIdentity is who a pod runs as. The API server sets the service account
// before it calls webhooks; a pod without one is taken as what it would get.
func podIdentity(pod *corev1.Pod, namespace string, config *Config) (identity.Identity, error) {
	serviceAccount := pod.Spec.ServiceAccountName
	if serviceAccount == "" {
		serviceAccount = "default"
	}
	return identity.New(config.settings.TrustDomain, namespace, serviceAccount)
}

// conflicts names all that pod, which is without a sidecar, has of what is the
// sidecar's, and how to fix it.
func conflicts(pod *corev1.Pod) error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(pod.Spec.Containers) == 0 {
		report("it has no container but the mesh's: add the application's")
	}
	if _, has := pod.Labels[ProxyLabel]; has {
		report("label %s: only the mesh sets it: remove it", ProxyLabel)
	}
	if _, has := pod.Annotations[BootstrapAnnotation]; has {
		report("annotation %s: only the mesh sets it: remove it", BootstrapAnnotation)
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == mesh.IdentityVolume {
			report("volume %s: the mesh adds one of this name: rename it", mesh.IdentityVolume)
		}
	}
	if security := pod.Spec.SecurityContext; security != nil && isSidecarUser(security.RunAsUser) {
		report("spec.securityContext.runAsUser: %s", userFix)
	}
	if mesh.FreeSidecarName(pod) == "" {
		report("containers %s: the mesh adds one that has one of these names: rename one of yours", strings.Join(mesh.SidecarNames(), " and "))
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, problem := range containerConflicts(container) {
			report("container %s: %w", container.Name, problem)
		}
	}
	return errors.Join(problems...)
}

// userFix is about connections that are not intercepted, which is how the
// sidecar's own are known.
const userFix = "1500 is the sidecar's user, past which nothing is intercepted: choose another"

func isSidecarUser(user *int64) bool { return user != nil && *user == sidecarID }

func containerConflicts(container corev1.Container) []error {
	var problems []error
	if container.Name == mesh.InitContainer {
		problems = append(problems, errors.New("the mesh adds one of this name: rename it"))
	}
	if mesh.MountsIdentity(&container) {
		problems = append(problems, fmt.Errorf("volumeMounts: %s is the sidecar's alone: mount a volume of another name", mesh.IdentityVolume))
	}
	if security := container.SecurityContext; security != nil && isSidecarUser(security.RunAsUser) {
		problems = append(problems, fmt.Errorf("securityContext.runAsUser: %s", userFix))
	}
	for _, port := range container.Ports {
		number := uint16(port.ContainerPort)
		tcp := port.Protocol == "" || port.Protocol == corev1.ProtocolTCP
		if tcp && int32(number) == port.ContainerPort && isSidecarPort(number) {
			problems = append(problems, fmt.Errorf("containerPort %d: the sidecar listens on it: have the application listen on another", number))
		}
	}
	return problems
}
