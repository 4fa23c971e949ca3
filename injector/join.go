package injector

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/identity"
)

// join gives pod its sidecar, if it does not have it yet.
func (c *Config) join(pod *corev1.Pod, in surroundings, proxy string) Result {
	namespace := in.namespace
	name := podName(pod, namespace.Name)
	id, err := podIdentity(pod, namespace.Name, c)
	if err != nil {
		return refused(badIdentity, fmt.Errorf("pod %s: %w", name, err))
	}
	marks := marksOf(pod)
	if marks.whole(c) {
		if err := ownSidecar(pod, id); err != nil {
			return refused(conflict, fmt.Errorf("pod %s: %w", name, err))
		}
		result := skipped(alreadyInjected)
		result.Warnings = c.versionWarnings(pod)
		return result
	}
	bare, removal, warnings := pod, []operation(nil), []string(nil)
	if marks.volume {
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
