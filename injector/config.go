package injector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// controllerServiceAccount is the service account that osm-controller, and so
// the SDS server, runs as in the mesh's namespace.
const controllerServiceAccount = "osm-controller"

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
	// ImagePullPolicy of the sidecar. Default: what Kubernetes derives from
	// the image's tag.
	ImagePullPolicy corev1.PullPolicy
	// SidecarResources are the sidecar's requests and limits. Default: none.
	SidecarResources corev1.ResourceRequirements

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

	// SDSAddress is the host:port where sidecars get their certificates.
	// Default: osm-controller.<Namespace>.svc:15128.
	SDSAddress string
	// LogLevel of the sidecar: debug, info, warn or error. Default: warn.
	LogLevel string
}

// Config is a valid, immutable set of Settings.
type Config struct {
	settings   Settings
	controller identity
}

// NewConfig checks settings and fills in their defaults. The error names every
// setting that is wrong.
func NewConfig(settings Settings) (*Config, error) {
	if settings.SDSAddress == "" {
		settings.SDSAddress = fmt.Sprintf("osm-controller.%s.svc:15128", settings.Namespace)
	}
	if settings.LogLevel == "" {
		settings.LogLevel = "warn"
	}
	settings.SidecarResources = *settings.SidecarResources.DeepCopy()
	controller, err := newIdentity(settings.TrustDomain, settings.Namespace, controllerServiceAccount)
	if err := errors.Join(err, settings.check()); err != nil {
		return nil, fmt.Errorf("injector configuration: %w", err)
	}
	return &Config{settings: settings, controller: controller}, nil
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
	if err := checkAddress(s.SDSAddress); err != nil {
		problems = append(problems, fmt.Errorf("SDS address: %w", err))
	}
	if err := checkLogLevel(s.LogLevel); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
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
