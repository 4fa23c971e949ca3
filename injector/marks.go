package injector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

// marks are what a pod bears of an injection: the API server may ask about a
// pod more than once, people create pods from the manifests of running ones,
// and kubectl debug --copy-to copies a pod without its labels and annotations.
type marks struct {
	volume     bool // osm-identity, known by the audience of its token
	scripts    bool // in that volume, of any version
	sidecar    bool // as mesh.IsSidecar knows it
	osmInit    bool
	label      bool
	annotation bool
}

func marksOf(pod *corev1.Pod) marks {
	var m marks
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
func (m marks) whole(config *Config) bool {
	return m.volume && m.scripts && m.sidecar && m.label && m.annotation &&
		(m.osmInit || config.settings.Interception == NoInterception)
}

// ownSidecar refuses a pod that bears all marks of an injection, but those of
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
