// Package injection is what osm-injector is started with: a flag for each of
// the mesh-wide choices that the chart's values make. It is apart from the
// command so that osm inject reads the same flags from the rendered chart. It
// must not know how a pod is injected.
package injection

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	kjson "sigs.k8s.io/json"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/injector"
)

// Auto is the placement that leaves it to what the cluster's kubelets can do.
const Auto injector.Placement = "auto"

// Options are the flags' values.
type Options struct {
	component.Options
	Callers  component.ClientFlags
	settings injector.Settings
}

// Parse reads the arguments of osm-injector. The error names the flag and its
// value.
func Parse(name string, args []string) (*Options, error) {
	o := &Options{settings: injector.Settings{
		ImagePullPolicy: corev1.PullIfNotPresent,
		LogLevel:        "warn",
		Placement:       Auto,
		Interception:    injector.NFTables,
	}}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	o.AddFlags(fs)
	o.Callers.Add(fs)
	o.addPodFlags(fs)
	o.addInterceptionFlags(fs)
	return o, component.Parse(fs, args)
}

// addPodFlags adds what says how a pod is changed.
func (o *Options) addPodFlags(fs *flag.FlagSet) {
	s := &o.settings
	fs.StringVar(&s.TrustDomain, "trust-domain", "cluster.local", "trust domain of every identity")
	fs.Func("cluster-domain", "DNS domain of the cluster, such as cluster.local (default: found out)", func(given string) error {
		s.ClusterDomain = given
		if given == "" {
			return nil
		}
		return injector.CheckClusterDomain(given)
	})
	fs.StringVar(&s.SidecarImage, "sidecar-image", "", "image of the sidecar")
	fs.StringVar(&s.InitImage, "init-image", "", "image of osm-init")
	choice(fs, &s.ImagePullPolicy, "image-pull-policy", "when both images are pulled",
		corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)
	list(fs, &s.ImagePullSecrets, "image-pull-secrets", "Secrets that both images are pulled with, such as registry,mirror", parseSecrets)
	choice(fs, &s.LogLevel, "sidecar-log-level", "log level of the sidecar", "debug", "info", "warn", "error")
	choice(fs, &s.Placement, "sidecar-placement", "what kind of container the sidecar is", Auto, injector.Native, injector.Container)
	fs.Func("sidecar-resources", `requests and limits of the sidecar, as JSON: {"limits":{"cpu":"1"}}`, func(value string) (err error) {
		s.SidecarResources, err = parseResources(value)
		return err
	})
}

// addInterceptionFlags adds what says which connections go through sidecars.
func (o *Options) addInterceptionFlags(fs *flag.FlagSet) {
	s := &o.settings
	choice(fs, &s.Interception, "interception", "how connections get to the sidecar", injector.NFTables, injector.NoInterception)
	fs.BoolVar(&s.PrivilegedInit, "privileged-init", false, "make osm-init a privileged container")
	list(fs, &s.InboundPortExclusions, "inbound-port-exclusion-list", "ports of pods that are called past the sidecar, such as 80,443", injector.ParsePorts)
	list(fs, &s.OutboundPortExclusions, "outbound-port-exclusion-list", "ports that pods call past the sidecar, such as 80,443", injector.ParsePorts)
	list(fs, &s.OutboundRangeExclusions, "outbound-ip-range-exclusion-list", "addresses that pods call past the sidecar, such as 10.0.0.0/8,fd00::/8", injector.ParseRanges)
	list(fs, &s.OutboundRangeInclusions, "outbound-ip-range-inclusion-list", "if any, the only addresses that pods call through the sidecar", injector.ParseRanges)
	list(fs, &s.InterfaceExclusions, "network-interface-exclusion-list", "network interfaces of pods that go past the sidecar, such as net1", parseInterfaces)
}

// Placed tells whether the placement is set, not left to the cluster.
func (o *Options) Placed() bool { return o.settings.Placement != Auto }

// AssumeClusterDomain has the cluster's domain be the one that the caller found
// out, unless the flags say which it is.
func (o *Options) AssumeClusterDomain(domain string) {
	o.settings.ClusterDomain = cmp.Or(o.settings.ClusterDomain, domain)
}

// ClusterDomain is the cluster's domain, or nothing where it is not known.
func (o *Options) ClusterDomain() string { return o.settings.ClusterDomain }

// Settings returns what the flags say, with what Auto comes to.
func (o *Options) Settings(auto injector.Placement) injector.Settings {
	settings := o.settings
	settings.MeshName, settings.Namespace = o.MeshName, o.Namespace
	if !o.Placed() {
		settings.Placement = auto
	}
	return settings
}

// choice adds a flag that takes one of a few words. The default is what value
// has.
func choice[T ~string](fs *flag.FlagSet, value *T, name, usage string, words ...T) {
	var quoted []string
	for _, word := range words {
		quoted = append(quoted, string(word))
	}
	all := strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
	fs.Func(name, fmt.Sprintf("%s: %s (default %s)", usage, all, *value), func(given string) error {
		if !slices.Contains(words, T(given)) {
			return fmt.Errorf("want %s", all)
		}
		*value = T(given)
		return nil
	})
}

// list adds a flag that takes a list with commas, or nothing for an empty one.
func list[T any](fs *flag.FlagSet, value *[]T, name, usage string, parse func(string) ([]T, error)) {
	fs.Func(name, usage, func(given string) (err error) {
		*value, err = parse(given)
		return err
	})
}

func parseInterfaces(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if _, err := parseInterface(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func parseSecrets(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			return nil, fmt.Errorf("%q is not the name of a Secret: %s", name, strings.Join(problems, "; "))
		}
	}
	return names, nil
}

// parseResources reads the requests and limits of a container. What they are of
// and how they go together is the injector's to check.
func parseResources(value string) (corev1.ResourceRequirements, error) {
	var resources struct {
		Requests corev1.ResourceList `json:"requests"`
		Limits   corev1.ResourceList `json:"limits"`
	}
	problems, err := kjson.UnmarshalStrict([]byte(value), &resources)
	return corev1.ResourceRequirements{Requests: resources.Requests, Limits: resources.Limits}, errors.Join(append(problems, err)...)
}
