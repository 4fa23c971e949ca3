package integration

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// draw makes pods that the API server takes, of everything that injection
// touches or could trip over.
type draw struct {
	*rand.Rand
	ports int32 // given out so far
}

func (d *draw) chance(percent int) bool { return d.IntN(100) < percent }

func oneOf[T any](d *draw, choices ...T) T { return choices[d.IntN(len(choices))] }

func (d *draw) pod() *corev1.Pod {
	d.ports = 8000
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false), // its volume's name is random
			RestartPolicy:                oneOf(d, "", corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever),
			ShareProcessNamespace:        oneOf(d, nil, new(true)),
			EnableServiceLinks:           oneOf(d, nil, new(false)),
			Hostname:                     oneOf(d, "", "app-0"),
			SecurityContext:              d.podSecurity(),
			Volumes:                      d.volumes(),
		},
	}
	if d.chance(50) {
		pod.Labels = map[string]string{"app": "app", "example.test/with.dots_and-more": "x"}
	}
	pod.Annotations = d.annotations()
	if d.chance(30) {
		pod.Spec.TerminationGracePeriodSeconds = new(int64(d.IntN(100)))
	}
	for i := range d.IntN(3) {
		c := d.container(fmt.Sprintf("init-%d", i), pod.Spec.Volumes)
		if d.chance(40) {
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
			d.probe(&c)
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	for i := range 1 + d.IntN(4) {
		c := d.container(fmt.Sprintf("app-%d", i), pod.Spec.Volumes)
		d.probe(&c)
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	return pod
}

func (d *draw) annotations() map[string]string {
	drawn := map[string]string{}
	for key, value := range map[string]string{
		"example.test/note":                                   "a \"quoted\" note \u2028",
		"kubectl.kubernetes.io/default-container":             "app-0",
		"openservicemesh.io/inbound-port-exclusion-list":      "8001, 8003",
		"openservicemesh.io/outbound-port-exclusion-list":     "3306",
		"openservicemesh.io/outbound-ip-range-exclusion-list": "192.0.2.0/24,2001:db8::/32",
		"openservicemesh.io/sidecar-resource-limits-memory":   "256Mi",
		"openservicemesh.io/sidecar-resource-requests-cpu":    "20m",
		"openservicemesh.io/outbound-ip-range-inclusion-list": "10.0.0.0/8",
		"openservicemesh.io/sidecar-injection":                "yes",
		"prometheus.io/scrape":                                "false",
	} {
		if d.chance(25) {
			drawn[key] = value
		}
	}
	if len(drawn) == 0 && d.chance(50) {
		return nil
	}
	return drawn
}

func (d *draw) podSecurity() *corev1.PodSecurityContext {
	if d.chance(40) {
		return nil
	}
	context := &corev1.PodSecurityContext{FSGroup: oneOf(d, nil, new(int64(2000)))}
	if d.chance(50) {
		context.RunAsUser, context.RunAsNonRoot = new(int64(1000)), new(true)
	}
	if d.chance(30) {
		context.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	return context
}

func (d *draw) volumes() (volumes []corev1.Volume) {
	sources := []corev1.VolumeSource{
		{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		{Secret: &corev1.SecretVolumeSource{SecretName: "password", Optional: new(true)}},
		{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault", Path: "token"}},
		}}},
		{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}},
	}
	for i := range d.IntN(4) {
		volumes = append(volumes, corev1.Volume{Name: fmt.Sprintf("volume-%d", i), VolumeSource: oneOf(d, sources...)})
	}
	return volumes
}

func (d *draw) container(name string, volumes []corev1.Volume) corev1.Container {
	c := corev1.Container{Name: name, Image: "example/app:1", ImagePullPolicy: oneOf(d, "", corev1.PullAlways)}
	for i := range d.IntN(4) {
		d.ports++
		port := corev1.ContainerPort{ContainerPort: d.ports, Protocol: oneOf(d, "", corev1.ProtocolTCP, corev1.ProtocolUDP)}
		if d.chance(70) {
			port.Name = fmt.Sprintf("port-%d", i)
		}
		c.Ports = append(c.Ports, port)
	}
	for i, volume := range volumes {
		if d.chance(50) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: fmt.Sprintf("/mnt/%d", i)})
		}
	}
	if d.chance(30) {
		c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	}
	if d.chance(30) {
		c.SecurityContext = &corev1.SecurityContext{
			RunAsUser: new(int64(1001)), AllowPrivilegeEscalation: new(false),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	return c
}

// probe adds probes and hooks to a container that may have them.
func (d *draw) probe(c *corev1.Container) {
	for _, probe := range []**corev1.Probe{&c.LivenessProbe, &c.ReadinessProbe, &c.StartupProbe} {
		if d.chance(60) {
			*probe = &corev1.Probe{ProbeHandler: d.question(c), PeriodSeconds: int32(d.IntN(30)), TimeoutSeconds: int32(d.IntN(5))}
		}
	}
	if d.chance(30) {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{HTTPGet: d.get(c)}}
	}
	if d.chance(15) {
		c.Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}
	}
}

func (d *draw) question(c *corev1.Container) corev1.ProbeHandler {
	return oneOf(d,
		corev1.ProbeHandler{HTTPGet: d.get(c)},
		corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: d.port(c), Host: oneOf(d, "", "", "192.0.2.1")}},
		corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8001 + d.Int32N(8), Service: oneOf(d, nil, new("ready"))}},
		corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}})
}

func (d *draw) get(c *corev1.Container) *corev1.HTTPGetAction {
	get := &corev1.HTTPGetAction{
		Path:   oneOf(d, "", "/", "/healthz", "/health?full=1&x=%20", "/a//b/../c"),
		Port:   d.port(c),
		Host:   oneOf(d, "", "", "", "status.example.test"),
		Scheme: oneOf(d, "", corev1.URISchemeHTTP, corev1.URISchemeHTTPS),
	}
	if d.chance(30) {
		get.HTTPHeaders = []corev1.HTTPHeader{{Name: "Host", Value: "app.example.test"}, {Name: "X-Twice", Value: "1"}, {Name: "X-Twice", Value: "2"}}
	}
	return get
}

// port is one of the container's by name where it has such, or a number.
func (d *draw) port(c *corev1.Container) intstr.IntOrString {
	for _, port := range c.Ports {
		if port.Name != "" && port.Protocol != corev1.ProtocolUDP && d.chance(50) {
			return intstr.FromString(port.Name)
		}
	}
	return intstr.FromInt32(8001 + d.Int32N(8))
}
