package injector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

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
