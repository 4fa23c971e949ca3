package injector

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/identity"
)

// controllerServiceAccount is the service account that osm-controller, and so
// the SDS server, runs as in the mesh's namespace.
const controllerServiceAccount = "osm-controller"

// Config is a valid, immutable set of Settings.
type Config struct {
	settings   Settings
	controller identity.Identity
	// volume is the same in every pod. It is only read.
	volume corev1.Volume
}

// NewConfig checks settings and fills in their defaults. The error names every
// setting that is wrong.
func NewConfig(settings Settings) (*Config, error) {
	settings = settings.withDefaults()
	controller, err := identity.New(settings.TrustDomain, settings.Namespace, controllerServiceAccount)
	if err := errors.Join(err, settings.check()); err != nil {
		return nil, fmt.Errorf("injector configuration: %w", err)
	}
	scripts := slices.Sorted(maps.Keys(pipy.Scripts()))
	return &Config{
		settings:   settings,
		controller: controller,
		volume:     identityVolume(pipy.ConfigMapName(), scripts),
	}, nil
}

// Settings are the mesh-wide choices that a Config is made of.
type Settings struct {
	// MeshName is the value of the label openservicemesh.io/monitored-by on
	// the mesh's namespaces, such as "osm". Required.
	MeshName string
	// Namespace is the mesh's own, such as "osm-system": nothing in it is ever
	// injected. Required.
	Namespace string
	// TrustDomain of the mesh's identities, such as "cluster.local". Required.
	TrustDomain string

	// SidecarImage is the sidecar's image reference. Required.
	SidecarImage string
	// InitImage is osm-init's image reference. Required to intercept.
	InitImage string
	// ImagePullPolicy of both. Default: what Kubernetes derives from the tag.
	ImagePullPolicy corev1.PullPolicy
	// ImagePullSecrets are the names of the Secrets that both are pulled with, where
	// their registry wants one. Pods have to name one, and have it in their namespace.
	ImagePullSecrets []string
	// SidecarResources are the sidecar's requests and limits. Default: what need
	// finds for a pod.
	SidecarResources corev1.ResourceRequirements
	// Placement of the sidecar in the pod. Default: Native.
	Placement Placement
	// Interception is how connections come to the sidecar. Default: NFTables.
	Interception Interception
	// PrivilegedInit makes osm-init a privileged container, for nodes where
	// the capability NET_ADMIN alone does not suffice. Default: it is not.
	PrivilegedInit bool

	// InboundPortExclusions are ports of pods that their sidecars leave alone.
	InboundPortExclusions []uint16
	// OutboundPortExclusions are ports that pods reach past their sidecars.
	OutboundPortExclusions []uint16
	// OutboundRangeExclusions are addresses that pods reach past their sidecars.
	OutboundRangeExclusions []netip.Prefix
	// OutboundRangeInclusions are the only addresses that pods reach through
	// their sidecars. Default: all.
	OutboundRangeInclusions []netip.Prefix
	// InterfaceExclusions are the names of pods' network interfaces that their
	// sidecars leave alone, such as "net1".
	InterfaceExclusions []string

	// ClusterDomain is what the names of the cluster's Services end in, such as
	// "cluster.local" (kubelet, clusterDomain). Default: it is not known.
	ClusterDomain string
	// ControllerIPs are the cluster IPs of osm-controller's Service, which
	// sidecars call where no DNS of the cluster's answers them. Default: none.
	ControllerIPs []netip.Addr
	// SDSAddress is the host:port where sidecars get their certificates. Default:
	// osm-controller.<Namespace>.svc.<ClusterDomain>.:15128.
	SDSAddress string
	// SDSFallbacks are others, for where that does not lead. Default: they go with the default of SDSAddress.
	SDSFallbacks []string
	// LogLevel of the sidecar: debug, info, warn or error. Default: warn.
	LogLevel string
}

// withDefaults shares nothing with s that could be changed.
func (s Settings) withDefaults() Settings {
	if s.SDSAddress == "" {
		s.SDSAddress, s.SDSFallbacks = s.sds()
	}
	if s.LogLevel == "" {
		s.LogLevel = "warn"
	}
	if s.Placement == "" {
		s.Placement = Native
	}
	if s.Interception == "" {
		s.Interception = NFTables
	}
	s.SidecarResources = *s.SidecarResources.DeepCopy()
	s.ImagePullSecrets = slices.Clone(s.ImagePullSecrets)
	s.InboundPortExclusions = unionOfPorts(s.InboundPortExclusions)
	s.OutboundPortExclusions = unionOfPorts(s.OutboundPortExclusions)
	s.OutboundRangeExclusions = unionOfRanges(s.OutboundRangeExclusions)
	s.OutboundRangeInclusions = unionOfRanges(s.OutboundRangeInclusions)
	s.InterfaceExclusions = slices.Clone(s.InterfaceExclusions)
	return s
}

func (s Settings) check() error {
	var problems []error
	if len(validation.IsValidLabelValue(s.MeshName)) > 0 || s.MeshName == "" {
		problems = append(problems, fmt.Errorf("mesh name %q: want a label value, such as osm", s.MeshName))
	}
	if s.SidecarImage == "" {
		problems = append(problems, errors.New("sidecar image: missing"))
	}
	policies := []corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}
	if !slices.Contains(policies, s.ImagePullPolicy) {
		problems = append(problems, fmt.Errorf("image pull policy %q: want Always, IfNotPresent or Never", s.ImagePullPolicy))
	}
	for _, address := range append([]string{s.SDSAddress}, s.SDSFallbacks...) {
		if err := checkAddress(address); err != nil {
			problems = append(problems, fmt.Errorf("SDS address: %w", err))
		}
	}
	problems = append(problems, s.checkClusterDomain())
	problems = append(problems, checkLogLevel(s.LogLevel), checkResources(s.SidecarResources), s.Placement.check(), s.checkInterception())
	return errors.Join(problems...)
}

// checkInterception also bounds what osm-init is told.
func (s Settings) checkInterception() error {
	problems := []error{s.Interception.check()}
	if s.Interception == NFTables && s.InitImage == "" {
		problems = append(problems, errors.New("init image: missing"))
	}
	for setting, length := range map[string]int{
		"inbound port exclusions":   len(s.InboundPortExclusions),
		"outbound port exclusions":  len(s.OutboundPortExclusions),
		"outbound range exclusions": len(s.OutboundRangeExclusions),
		"outbound range inclusions": len(s.OutboundRangeInclusions),
		"interface exclusions":      len(s.InterfaceExclusions),
	} {
		if err := checkCount(length); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", setting, err))
		}
	}
	everywhere := intercepted(overrides{
		inboundPorts:  s.InboundPortExclusions,
		outboundPorts: s.OutboundPortExclusions,
		excludeRanges: s.OutboundRangeExclusions,
		includeRanges: s.OutboundRangeInclusions,
	}, s.InterfaceExclusions)
	return errors.Join(append(problems, everywhere.Check())...)
}

func checkLogLevel(level string) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, level) {
		return fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	return nil
}

// checkAddress takes the host:port of a server to call.
func checkAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}
	if host == "" {
		return fmt.Errorf("%q: lacks a host", address)
	}
	return checkPort(address)
}

// Placement is what kind of container the sidecar is.
type Placement string

const (
	// Native makes the sidecar an init container that goes on running
	// (restartPolicy Always; Kubernetes 1.29 or newer on every node). It is
	// ready before any of the pod's own containers starts, and ends after the
	// last of them.
	Native Placement = "native"
	// Container makes the sidecar one of the pod's ordinary containers. The
	// application may start before the sidecar is ready, and its init containers
	// have none.
	Container Placement = "container"
)

func (p Placement) check() error {
	if p != Native && p != Container {
		return fmt.Errorf("sidecar placement %q: want %s or %s", p, Native, Container)
	}
	return nil
}

// place puts the sidecar and the init containers that come with it where they
// belong.
func (a *additions) place(p Placement, inits []corev1.Container, sidecar corev1.Container) {
	if p == Native {
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		sidecar.StartupProbe = startupProbe()
		a.initFirst = append(inits, sidecar)
		return
	}
	// First, so that it starts before the application does, and its init
	// container last: from then on, connections need the sidecar.
	sidecar.Lifecycle = outliveApplication()
	a.containers = []corev1.Container{sidecar}
	a.initLast = inits
}
