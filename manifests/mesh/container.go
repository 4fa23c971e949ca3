package mesh

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

const (
	// InitContainer is the name of the init container that leads a pod's
	// connections to its sidecar.
	InitContainer = "osm-init"
	// IdentityVolume is the name of the volume that the sidecar mounts, and no
	// other container of a pod: that is how the sidecar is known.
	IdentityVolume = "osm-identity"

	sidecarName      = "sidecar"
	otherSidecarName = "osm-sidecar"
)

// SidecarNames are those that a sidecar's container may have, the usual one
// first. Operators create pods with a container of the usual name that cannot be
// renamed: the sidecar has the other one there.
func SidecarNames() []string { return []string{sidecarName, otherSidecarName} }

// FreeSidecarName is the first name for the sidecar's container that no container
// of pod has, or nothing if they have them all.
func FreeSidecarName(pod *corev1.Pod) string {
	for _, name := range SidecarNames() {
		named := func(c corev1.Container) bool { return c.Name == name }
		if !slices.ContainsFunc(pod.Spec.InitContainers, named) && !slices.ContainsFunc(pod.Spec.Containers, named) {
			return name
		}
	}
	return ""
}

// IsSidecar reports whether a container is the sidecar of its pod.
func IsSidecar(container *corev1.Container) bool {
	return slices.Contains(SidecarNames(), container.Name) && MountsIdentity(container)
}

// MountsIdentity reports whether a container mounts what is the sidecar's alone.
func MountsIdentity(container *corev1.Container) bool {
	return slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == IdentityVolume })
}

// SidecarName is the name of the container of pod that is its sidecar, or nothing
// if it has none.
func SidecarName(pod *corev1.Pod) string {
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if IsSidecar(&containers[i]) {
				return containers[i].Name
			}
		}
	}
	return ""
}
