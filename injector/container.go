package injector

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	sidecarName = "sidecar"
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

func sidecar(config *Config) corev1.Container {
	return corev1.Container{
		Name:            sidecarName,
		Image:           config.settings.SidecarImage,
		ImagePullPolicy: config.settings.ImagePullPolicy,
		Ports: []corev1.ContainerPort{
			{Name: "proxy-inbound", ContainerPort: inboundPort, Protocol: corev1.ProtocolTCP},
			{Name: "proxy-outbound", ContainerPort: outboundPort, Protocol: corev1.ProtocolTCP},
			{Name: "proxy-admin", ContainerPort: adminPort, Protocol: corev1.ProtocolTCP},
			{Name: "proxy-ready", ContainerPort: readinessPort, Protocol: corev1.ProtocolTCP},
		},
		Resources: *config.settings.SidecarResources.DeepCopy(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: identityVolumeName, MountPath: identityDirectory, ReadOnly: true},
		},
		ReadinessProbe:           readinessProbe(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          securityContext(),
	}
}

// readinessProbe asks often enough that a pod takes traffic within two seconds
// of its certificate, and gives up after ten.
func readinessProbe() *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/ready",
			Port: intstr.FromInt32(readinessPort),
		}},
		PeriodSeconds:    2,
		FailureThreshold: 5,
	}
}

// securityContext satisfies the "restricted" Pod Security Standard.
func securityContext() *corev1.SecurityContext {
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
