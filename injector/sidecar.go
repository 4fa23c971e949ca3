package injector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	// sidecarID is the sidecar's user and group. What redirects a pod's
	// traffic to the sidecar knows the sidecar's own traffic by it.
	sidecarID = 1500

	inboundPort  = 15003
	outboundPort = 15001
	adminPort    = 15000
	metricsPort  = 15010
	// The kubelet's questions to the application, by what they are about.
	livenessPort = 15901
	// readinessPort serves /ready, because the kubelet calls from outside the
	// pod and the admin port listens on loopback only.
	readinessPort = 15902
	startupPort   = 15903
	tcpProbePort  = 15904
)

// sidecar is that of pod, as far as it is the same wherever it is placed.
func (c *Config) sidecar(pod *corev1.Pod, resources corev1.ResourceRequirements) corev1.Container {
	return corev1.Container{
		Name:            mesh.FreeSidecarName(pod),
		Image:           c.settings.SidecarImage,
		ImagePullPolicy: c.settings.ImagePullPolicy,
		Command:         []string{"/bin/sh", "-c", runScript, "pipy"},
		// What follows the dashes is the script's.
		Args:      []string{"--log-level=" + c.settings.LogLevel, scriptsDirectory + "/main.js", "--", BootstrapFile},
		Ports:     sidecarPorts(pod),
		Resources: resources,
		VolumeMounts: []corev1.VolumeMount{
			{Name: mesh.IdentityVolume, MountPath: identityDirectory, ReadOnly: true},
		},
		ReadinessProbe:           readinessProbe(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          sidecarSecurity(),
	}
}

// sidecarPorts have no name that pod has: a Service that names a port of its
// pods means the first one that is named so, which would be the sidecar's.
func sidecarPorts(pod *corev1.Pod) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{
		{Name: "proxy-inbound", ContainerPort: inboundPort, Protocol: corev1.ProtocolTCP},
		{Name: "proxy-outbound", ContainerPort: outboundPort, Protocol: corev1.ProtocolTCP},
		{Name: "proxy-admin", ContainerPort: adminPort, Protocol: corev1.ProtocolTCP},
		{Name: "proxy-metrics", ContainerPort: metricsPort, Protocol: corev1.ProtocolTCP},
		{Name: "proxy-ready", ContainerPort: readinessPort, Protocol: corev1.ProtocolTCP},
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, container := range containers {
			for _, taken := range container.Ports {
				if i := slices.IndexFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == taken.Name }); i >= 0 {
					ports[i].Name = ""
				}
			}
		}
	}
	return ports
}

// sidecarSecurity satisfies the "restricted" Pod Security Standard.
func sidecarSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsUser:                new(int64(sidecarID)),
		RunAsGroup:               new(int64(sidecarID)),
		RunAsNonRoot:             new(true),
		ReadOnlyRootFilesystem:   new(true),
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// whenReady is the kubelet's question whether the sidecar has its certificate.
func whenReady() corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/ready",
		Port: intstr.FromInt32(readinessPort),
	}}
}
