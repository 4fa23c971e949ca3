package mesh

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// named is a container, which mounts volumes.
func named(name string, volumes ...string) corev1.Container {
	c := corev1.Container{Name: name}
	for _, volume := range volumes {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume})
	}
	return c
}

func TestTheSidecarIsKnownByNameAndVolume(t *testing.T) {
	tests := map[string]struct {
		init, containers []corev1.Container
		is, free         string
	}{
		"no sidecar":                    {nil, []corev1.Container{named("app")}, "", "sidecar"},
		"a native sidecar":              {[]corev1.Container{named("osm-init"), named("sidecar", "osm-identity")}, []corev1.Container{named("app")}, "sidecar", "osm-sidecar"},
		"a plain container":             {nil, []corev1.Container{named("sidecar", "tmp", "osm-identity"), named("app")}, "sidecar", "osm-sidecar"},
		"the application's own":         {nil, []corev1.Container{named("app"), named("sidecar", "data")}, "", "osm-sidecar"},
		"the application's init":        {[]corev1.Container{named("sidecar")}, []corev1.Container{named("app")}, "", "osm-sidecar"},
		"beside the application's own":  {[]corev1.Container{named("osm-sidecar", "osm-identity")}, []corev1.Container{named("mysql"), named("sidecar")}, "osm-sidecar", ""},
		"the application has the other": {[]corev1.Container{named("sidecar", "osm-identity")}, []corev1.Container{named("osm-sidecar")}, "sidecar", ""},
		"the application has both":      {nil, []corev1.Container{named("osm-sidecar"), named("sidecar")}, "", ""},
		"the volume in another":         {nil, []corev1.Container{named("app", "osm-identity")}, "", "sidecar"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{InitContainers: test.init, Containers: test.containers}}
			if is, free := SidecarName(pod), FreeSidecarName(pod); is != test.is || free != test.free {
				t.Errorf("it is %q and %q is free, want %q and %q", is, free, test.is, test.free)
			}
		})
	}
}
