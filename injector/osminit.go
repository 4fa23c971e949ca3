package injector

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// initContainers are those that come with a sidecar.
func (c *Config) initContainers(chosen overrides) ([]corev1.Container, error) {
	if c.settings.Interception == NoInterception {
		return nil, nil
	}
	config, err := json.Marshal(intercepted(chosen, c.settings.InterfaceExclusions))
	if err != nil {
		return nil, fmt.Errorf("encoding what is intercepted: %w", err)
	}
	return []corev1.Container{c.osmInit(string(config), chosen.resources)}, nil
}

// osmInit is the init container that makes the kernel lead connections to the
// sidecar. It has the sidecar's resources: where quotas want every container to
// have some, it needs them, and it adds nothing to what the pod needs, because
// it ends before the sidecar starts.
func (c *Config) osmInit(config string, resources corev1.ResourceRequirements) corev1.Container {
	return corev1.Container{
		Name:                     mesh.InitContainer,
		Image:                    c.settings.InitImage,
		ImagePullPolicy:          c.settings.ImagePullPolicy,
		Args:                     []string{config},
		Resources:                resources,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          c.osmInitSecurity(),
	}
}

// osmInitSecurity is root with the one capability that the kernel asks for. Files
// can't give it to another user where privileges must not be gained, and an
// ambient set is nothing that a pod can ask for.
func (c *Config) osmInitSecurity() *corev1.SecurityContext {
	security := &corev1.SecurityContext{
		RunAsUser:              new(int64(0)),
		RunAsGroup:             new(int64(0)),
		RunAsNonRoot:           new(false),
		ReadOnlyRootFilesystem: new(true),
		Capabilities: &corev1.Capabilities{
			Drop: []corev1.Capability{"ALL"},
			Add:  []corev1.Capability{"NET_ADMIN"},
		},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if c.settings.PrivilegedInit {
		// Kubernetes refuses privileged containers that say anything of
		// escalation but that they may.
		security.Privileged = new(true)
	} else {
		security.AllowPrivilegeEscalation = new(false)
	}
	return security
}
