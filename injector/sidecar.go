package injector

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

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
	// The kubelet's probes of the application, by container and kind.
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

// whenReady is the kubelet's probe of whether the sidecar has its certificate.
func whenReady() corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/ready",
		Port: intstr.FromInt32(readinessPort),
	}}
}

// ProxyLabel is the pod label that holds the proxy's id.
const ProxyLabel = "osm-proxy-uuid"

// additions are what a pod gets. They are known without a copy of the pod, so
// the patch that adds them costs no comparison.
type additions struct {
	labels, annotations map[string]string
	volumes             []corev1.Volume
	// containers come before the pod's own.
	containers []corev1.Container
	// initFirst come before the pod's own init containers, initLast after them.
	initFirst, initLast []corev1.Container
}

// additions are those of a pod whose sidecar is told bootstrap.
func (c *Config) additions(pod *corev1.Pod, chosen overrides, bootstrap Bootstrap) (additions, error) {
	encoded, err := json.Marshal(bootstrap)
	if err != nil {
		return additions{}, fmt.Errorf("encoding the sidecar's bootstrap: %w", err)
	}
	a := additions{
		labels:      map[string]string{ProxyLabel: bootstrap.Proxy},
		annotations: annotations(pod, chosen, c.settings.Placement),
		volumes:     []corev1.Volume{c.volume},
	}
	a.annotations[BootstrapAnnotation] = string(encoded)
	inits, err := c.initContainers(chosen)
	if err != nil {
		return additions{}, err
	}
	a.place(c.settings.Placement, inits, c.sidecar(pod, chosen.resources))
	return a, nil
}

// patch adds a to pod. It says nothing about what is there, so fields that this
// version of the API does not know stay.
func (a additions) patch(pod *corev1.Pod) []operation {
	return slices.Concat(
		entriesPatch("/metadata/labels", pod.Labels, a.labels),
		entriesPatch("/metadata/annotations", pod.Annotations, a.annotations),
		listPatch("/spec/volumes", len(pod.Spec.Volumes), nil, a.volumes),
		listPatch("/spec/initContainers", len(pod.Spec.InitContainers), a.initFirst, a.initLast),
		listPatch("/spec/containers", len(pod.Spec.Containers), a.containers, nil))
}

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

const (
	// sdsPort is that of osm-controller's Service.
	sdsPort = 15128
	// usualClusterDomain is what kubeadm and most distributions choose.
	usualClusterDomain = "cluster.local"
)

// sds returns where sidecars find osm-controller. A name with a final dot is
// absolute: no search list of a pod, nor how many dots keep a name from it
// (resolv.conf(5), ndots), has a part in it. Pods differ in these, and a resolver
// such as musl's asks for a name with enough dots as it is, and for nothing else.
// Where the cluster's domain is not known, a pod's own search list may know it.
func (s Settings) sds() (address string, fallbacks []string) {
	service := fmt.Sprintf("osm-controller.%s.svc", s.Namespace)
	address = atSDSPort(service + "." + cmp.Or(s.ClusterDomain, usualClusterDomain) + ".")
	if s.ClusterDomain == "" {
		fallbacks = append(fallbacks, atSDSPort(service))
	}
	for _, ip := range s.ControllerIPs {
		fallbacks = append(fallbacks, atSDSPort(ip.String()))
	}
	return address, slices.Clip(fallbacks)
}

func atSDSPort(host string) string { return net.JoinHostPort(host, strconv.Itoa(sdsPort)) }

func (s Settings) checkClusterDomain() error {
	if s.ClusterDomain == "" {
		return nil
	}
	if err := CheckClusterDomain(s.ClusterDomain); err != nil {
		return fmt.Errorf("cluster domain: %w", err)
	}
	return nil
}

// CheckClusterDomain takes what a kubelet takes for its clusterDomain, in the one
// form without a final dot. It leaves room for the name of a Service below it
// (RFC 1035, section 2.3.4).
func CheckClusterDomain(domain string) error {
	longest := "osm-controller." + strings.Repeat("n", validation.DNS1123LabelMaxLength) + ".svc." + domain
	if len(validation.IsDNS1123Subdomain(domain)) > 0 || len(longest) > validation.DNS1123SubdomainMaxLength {
		return fmt.Errorf("%q: want a DNS domain without a final dot, such as %s", domain, usualClusterDomain)
	}
	return nil
}

// readinessProbe asks often enough that a pod takes traffic within two seconds
// of its certificate, and gives up after ten.
func readinessProbe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: whenReady(), PeriodSeconds: 2, FailureThreshold: 5}
}

// startupProbe holds a native sidecar's application back until the sidecar is
// ready. Ten minutes without a control plane are nothing that starting the
// sidecar again would fix.
func startupProbe() *corev1.Probe {
	return &corev1.Probe{ProbeHandler: whenReady(), PeriodSeconds: 1, FailureThreshold: 600}
}

// runScript runs Pipy below a shell, for as process 1 it takes no signal but
// SIGINT, and sometimes hangs while it ends. To end it, end
// the shell. There is nothing to wait for then: see outliveScript.
const runScript = `export OSM_SIDECAR_SHELL=$$
trap 'kill -KILL $!; exit 0' TERM INT
pipy "$@" & wait $!`

// outliveScript ends once only the sidecar has a TCP socket in the pod.
// Fields 8 and 10 of /proc/net/tcp are a socket's user and inode (proc_net_tcp
// in the kernel's documentation); one that its process has left has inode 0.
var outliveScript = `used() { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
  awk '$8 ~ /^[0-9]+$/ && $8 != ` + strconv.Itoa(sidecarID) + ` && $10 > 0 { n++ } END { exit !n }'; }
sleep 1; while used; do sleep 1; done`

// outliveApplication keeps the sidecar for as long as the application has
// connections, for plain containers are told to end all at once. Native sidecars
// end after the application in any case, and a hook of theirs would run before.
func outliveApplication() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", outliveScript}},
	}}
}
