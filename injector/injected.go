package injector

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

// injectionState is what a pod bears of an injection: the API server may ask about a
// pod more than once, people create pods from the manifests of running ones,
// and kubectl debug --copy-to copies a pod without its labels and annotations.
type injectionState struct {
	volume     bool // osm-identity, known by the audience of its token
	scripts    bool // in that volume, of any version
	sidecar    bool // as mesh.IsSidecar knows it
	osmInit    bool
	label      bool
	annotation bool
}

func injectionStateOf(pod *corev1.Pod) injectionState {
	var m injectionState
	if i := slices.IndexFunc(pod.Spec.Volumes, isIdentityVolume); i >= 0 {
		m.volume = true
		m.scripts = slices.ContainsFunc(pod.Spec.Volumes[i].Projected.Sources, isScripts)
	}
	m.sidecar = mesh.SidecarName(pod) != ""
	m.osmInit = slices.ContainsFunc(pod.Spec.InitContainers, isOSMInit)
	_, m.label = pod.Labels[ProxyLabel]
	_, m.annotation = pod.Annotations[BootstrapAnnotation]
	return m
}

// whole tells whether nothing is missing of what config adds. A pod that was
// injected under other settings bears what those added.
func (m injectionState) whole(config *Config) bool {
	return m.volume && m.scripts && m.sidecar && m.label && m.annotation &&
		(m.osmInit || config.settings.Interception == NoInterception)
}

// ownSidecar refuses a pod that has all of the injection state, but those of
// another service account or proxy: what its probes were is known to that
// Bootstrap only.
func ownSidecar(pod *corev1.Pod, id identity.Identity) error {
	bootstrap, err := ParseBootstrap([]byte(pod.Annotations[BootstrapAnnotation]))
	if err == nil && (bootstrap.Identity != id.String() || bootstrap.Proxy != pod.Labels[ProxyLabel]) {
		err = errors.New("it is that of proxy " + bootstrap.Proxy + " of " + bootstrap.Identity)
	}
	if err != nil {
		return fmt.Errorf("it has a sidecar that is not its own, or that of another version of the mesh: %w: create the pod from the manifest that its owner has, without what injection adds", err)
	}
	return nil
}

func isIdentityVolume(volume corev1.Volume) bool {
	return volume.Name == mesh.IdentityVolume && volume.Projected != nil &&
		slices.ContainsFunc(volume.Projected.Sources, func(source corev1.VolumeProjection) bool {
			return source.ServiceAccountToken != nil && source.ServiceAccountToken.Audience == tokenAudience
		})
}

// scriptsOf names the ConfigMap with the scripts of a pod's sidecar, if it has one.
func scriptsOf(volumes []corev1.Volume) string {
	for _, volume := range volumes {
		if !isIdentityVolume(volume) {
			continue
		}
		if i := slices.IndexFunc(volume.Projected.Sources, isScripts); i >= 0 {
			return volume.Projected.Sources[i].ConfigMap.Name
		}
	}
	return ""
}

func isScripts(source corev1.VolumeProjection) bool {
	return source.ConfigMap != nil && strings.HasPrefix(source.ConfigMap.Name, scriptsPrefix)
}

func isSidecar(container corev1.Container) bool { return mesh.IsSidecar(&container) }

func isOSMInit(container corev1.Container) bool { return container.Name == mesh.InitContainer }

// own is what a pod's own containers have of a resource.
type own struct {
	// requested and limited are set if all of them have a request or a limit.
	requested, limited bool
	// largest is the largest of their limits.
	largest resource.Quantity
}

func ownOf(pod *corev1.Pod, name corev1.ResourceName) own {
	of := own{requested: true, limited: true}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		limit, limited := container.Resources.Limits[name]
		_, requested := container.Resources.Requests[name]
		// A limit without a request is the request, too (Kubernetes, "Resource
		// Management for Pods and Containers").
		of.requested = of.requested && (requested || limited)
		of.limited = of.limited && limited
		of.largest = larger(of.largest, limit)
	}
	return of
}

// ofWholePod reports whether a pod has a resource as a whole (KEP-2837), which
// covers all of its containers.
func ofWholePod(pod *corev1.Pod, name corev1.ResourceName) bool {
	whole := pod.Spec.Resources
	return whole != nil && (quantityOf(whole.Limits, name) != nil || quantityOf(whole.Requests, name) != nil)
}

// isGuaranteed reports whether the containers of a pod make its QoS class that one
// (Kubernetes 1.37, ComputePodQOS in pkg/apis/core/helper/qos). Where a pod has
// resources as a whole, containers do not count.
func isGuaranteed(pod *corev1.Pod) bool {
	if whole := pod.Spec.Resources; whole != nil && len(whole.Limits)+len(whole.Requests) > 0 {
		return false
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit := container.Resources.Limits[name]
			request, requested := container.Resources.Requests[name]
			if limit.Sign() <= 0 || requested && request.Cmp(limit) != 0 {
				return false
			}
		}
	}
	return true
}

// probesWarning is for copies of injected pods. What the kubelet had asked
// the application is in the annotation that they lack.
const probesWarning = "the pod is a copy of one with a sidecar: its probes and hooks that led through that sidecar were left out"

// strip returns pod, a copy of an injected one, without what injection had added
// to that, and the JSON Patch that takes it out.
func strip(pod *corev1.Pod) (bare *corev1.Pod, patch []operation, warnings []string) {
	bare = pod.DeepCopy()
	removeRewritten(bare)
	patch = slices.Concat(
		probesPatch("/spec/initContainers", pod.Spec.InitContainers, bare.Spec.InitContainers),
		probesPatch("/spec/containers", pod.Spec.Containers, bare.Spec.Containers))
	if len(patch) > 0 {
		warnings = []string{probesWarning}
	}
	ours := func(c corev1.Container) bool { return isSidecar(c) || isOSMInit(c) }
	patch = slices.Concat(patch,
		removePatch("/spec/initContainers", bare.Spec.InitContainers, ours),
		removePatch("/spec/containers", bare.Spec.Containers, ours),
		removePatch("/spec/volumes", bare.Spec.Volumes, isIdentityVolume))
	bare.Spec.InitContainers = slices.DeleteFunc(bare.Spec.InitContainers, ours)
	bare.Spec.Containers = slices.DeleteFunc(bare.Spec.Containers, ours)
	bare.Spec.Volumes = slices.DeleteFunc(bare.Spec.Volumes, isIdentityVolume)
	// The patch of these is to set them anew.
	maps.DeleteFunc(bare.Labels, func(key, _ string) bool { return key == ProxyLabel })
	maps.DeleteFunc(bare.Annotations, func(key, _ string) bool { return key == BootstrapAnnotation })
	return bare, patch, warnings
}

// removePatch takes items out of a list, the last first: what is before it keeps
// its index.
func removePatch[T any](path string, items []T, out func(T) bool) []operation {
	var operations []operation
	for i, item := range slices.Backward(items) {
		if out(item) {
			operations = append(operations, operation{Operation: "remove", Path: path + "/" + strconv.Itoa(i)})
		}
	}
	return operations
}
