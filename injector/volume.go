package injector

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	// identityDirectory is where the sidecar, and it alone, mounts the volume.
	identityDirectory = "/var/run/osm"
	tokenFile         = identityDirectory + "/token"
	caFile            = identityDirectory + "/ca.crt"

	// tokenAudience keeps the token from being of use anywhere but at the SDS
	// server, the API server included.
	tokenAudience = "osm-sds"
	// tokenSeconds is how long a token lives; the kubelet renews it when a
	// fifth of that is left.
	tokenSeconds = 3600

	// scriptsDirectory is where the sidecar finds its scripts.
	scriptsDirectory = identityDirectory + "/" + scriptsPath
	scriptsPath      = "pipy"
	// scriptsPrefix is that of the ConfigMaps with scripts, of any version.
	scriptsPrefix = "osm-sidecar-"

	// trustBundleConfigMap is kept by osm-controller in every monitored
	// namespace. It is not optional: a pod that starts before it is there
	// waits for it, for it could trust no control plane.
	trustBundleConfigMap = "osm-trust-bundle"

	// identityMode lets every user read. That is what the sidecar needs when
	// the application runs as another user: the kubelet (pkg/volume/projected,
	// Kubernetes 1.37) writes a token with the volume's mode and root as its
	// owner unless all containers run as one user. The other two cases are
	// readable as well: if all run as the sidecar's user, the token is 0600
	// and that user's; if the pod has an fsGroup, it is 0640 and that group's,
	// and the kubelet puts every container in that group. What keeps the token
	// from the application is that only the sidecar mounts the volume.
	identityMode = 0o444
)

// identityVolume is all that the sidecar reads before it talks to the control
// plane: its proof of identity, whom to trust, its Bootstrap, and its scripts,
// which are files of a ConfigMap.
func identityVolume(scripts string, files []string) corev1.Volume {
	return corev1.Volume{
		Name: mesh.IdentityVolume,
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(identityMode)),
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience:          tokenAudience,
					ExpirationSeconds: new(int64(tokenSeconds)),
					Path:              "token",
				}},
				{ConfigMap: &corev1.ConfigMapProjection{
					LocalObjectReference: corev1.LocalObjectReference{Name: trustBundleConfigMap},
					Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
				}},
				{DownwardAPI: &corev1.DownwardAPIProjection{
					Items: []corev1.DownwardAPIVolumeFile{{
						Path: "bootstrap.json",
						FieldRef: &corev1.ObjectFieldSelector{
							APIVersion: "v1",
							FieldPath:  "metadata.annotations['" + BootstrapAnnotation + "']",
						},
					}},
				}},
				{ConfigMap: scriptsProjection(scripts, files)},
			},
		}},
	}
}

// scriptsProjection is not optional either: see trustBundleConfigMap.
func scriptsProjection(name string, files []string) *corev1.ConfigMapProjection {
	projection := &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}
	for _, file := range files {
		projection.Items = append(projection.Items, corev1.KeyToPath{Key: file, Path: scriptsPath + "/" + file})
	}
	return projection
}
