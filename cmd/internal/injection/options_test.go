package injection

import (
	"errors"
	"flag"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/osm-edge/osm/injector"
)

func TestFlagsBecomeSettings(t *testing.T) {
	defaults := injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local",
		ImagePullPolicy: corev1.PullIfNotPresent, LogLevel: "warn",
		Placement: injector.Native, Interception: injector.NFTables,
	}
	tests := map[string]struct {
		args []string
		edit func(*injector.Settings)
	}{
		"none":                 {nil, func(*injector.Settings) {}},
		"a mesh":               {[]string{"--mesh-name=mine", "--namespace=mesh"}, func(s *injector.Settings) { s.MeshName, s.Namespace = "mine", "mesh" }},
		"a trust domain":       {[]string{"--trust-domain=mesh.example"}, func(s *injector.Settings) { s.TrustDomain = "mesh.example" }},
		"a cluster's domain":   {[]string{"--cluster-domain=k8s.corp"}, func(s *injector.Settings) { s.ClusterDomain = "k8s.corp" }},
		"no cluster's domain":  {[]string{"--cluster-domain="}, func(*injector.Settings) {}},
		"a sidecar's image":    {[]string{"--sidecar-image=example/pipy:1"}, func(s *injector.Settings) { s.SidecarImage = "example/pipy:1" }},
		"osm-init's image":     {[]string{"--init-image=example/osm-init:1"}, func(s *injector.Settings) { s.InitImage = "example/osm-init:1" }},
		"a pull policy":        {[]string{"--image-pull-policy=Always"}, func(s *injector.Settings) { s.ImagePullPolicy = corev1.PullAlways }},
		"pull secrets":         {[]string{"--image-pull-secrets=registry,mirror.example"}, func(s *injector.Settings) { s.ImagePullSecrets = []string{"registry", "mirror.example"} }},
		"a log level":          {[]string{"--sidecar-log-level=debug"}, func(s *injector.Settings) { s.LogLevel = "debug" }},
		"native sidecars":      {[]string{"--sidecar-placement=native"}, func(*injector.Settings) {}},
		"ordinary containers":  {[]string{"--sidecar-placement=container"}, func(s *injector.Settings) { s.Placement = injector.Container }},
		"no interception":      {[]string{"--interception=none"}, func(s *injector.Settings) { s.Interception = injector.NoInterception }},
		"privilege":            {[]string{"--privileged-init=true"}, func(s *injector.Settings) { s.PrivilegedInit = true }},
		"no resources":         {[]string{"--sidecar-resources={}"}, func(*injector.Settings) {}},
		"resources of nothing": {[]string{"--sidecar-resources=null"}, func(*injector.Settings) {}},
		"resources": {[]string{`--sidecar-resources={"requests":{"cpu":"50m"},"limits":{"cpu":1,"ephemeral-storage":"1Gi"}}`}, func(s *injector.Settings) {
			s.SidecarResources.Requests = corev1.ResourceList{"cpu": resource.MustParse("50m")}
			s.SidecarResources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1"), "ephemeral-storage": resource.MustParse("1Gi")}
		}},
		"ports": {[]string{"--inbound-port-exclusion-list=80,443", "--outbound-port-exclusion-list=6379"}, func(s *injector.Settings) {
			s.InboundPortExclusions, s.OutboundPortExclusions = []uint16{80, 443}, []uint16{6379}
		}},
		"ranges": {[]string{"--outbound-ip-range-exclusion-list=10.0.0.0/8,fd00::/8", "--outbound-ip-range-inclusion-list=192.0.2.0/24"}, func(s *injector.Settings) {
			s.OutboundRangeExclusions = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
			s.OutboundRangeInclusions = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}},
		"interfaces":  {[]string{"--network-interface-exclusion-list=net1,net2"}, func(s *injector.Settings) { s.InterfaceExclusions = []string{"net1", "net2"} }},
		"empty lists": {[]string{"--inbound-port-exclusion-list=", "--outbound-ip-range-exclusion-list=", "--network-interface-exclusion-list="}, func(*injector.Settings) {}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := Parse("osm-test", test.args)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults
			test.edit(&want)
			prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			if diff := cmp.Diff(want, o.Settings(injector.Native), prefixes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("settings differ from what is wanted (-):\n%s", diff)
			}
		})
	}
}

func TestAPlacementThatIsLeftToTheClusterIsWhatTheCallerFoundOut(t *testing.T) {
	for _, test := range []struct {
		args        []string
		auto, want  injector.Placement
		placedAsSet bool
	}{
		{nil, injector.Native, injector.Native, false},
		{[]string{"--sidecar-placement=auto"}, injector.Container, injector.Container, false},
		{[]string{"--sidecar-placement=native"}, injector.Container, injector.Native, true},
		{[]string{"--sidecar-placement=container"}, injector.Native, injector.Container, true},
	} {
		o, err := Parse("osm-test", test.args)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Settings(test.auto).Placement; got != test.want || o.Placed() != test.placedAsSet {
			t.Errorf("%q with %s: %s, set %t", test.args, test.auto, got, o.Placed())
		}
	}
}

func TestFlagsThatAreWrongAreRefusedByNameAndValue(t *testing.T) {
	tests := map[string]struct{ arg, flag, want string }{
		"an unknown flag":             {"--privileged", "-privileged", ""},
		"no namespace":                {"--namespace=", "-namespace", ""},
		"a domain with its dot":       {"--cluster-domain=cluster.local.", "-cluster-domain", "without a final dot"},
		"a domain that no one set":    {"--cluster-domain=%!s(<nil>)", "-cluster-domain", "want a DNS domain"},
		"an unknown pull policy":      {"--image-pull-policy=Sometimes", "-image-pull-policy", `"Sometimes"`},
		"an unknown placement":        {"--sidecar-placement=first", "-sidecar-placement", "want auto, native or container"},
		"an unknown interception":     {"--interception=iptables", "-interception", "want nftables or none"},
		"an unknown log level":        {"--sidecar-log-level=trace", "-sidecar-log-level", "want debug, info, warn or error"},
		"a value that no one set":     {"--interception=%!s(<nil>)", "-interception", "<nil>"},
		"a privilege in words":        {"--privileged-init=sometimes", "-privileged-init", `"sometimes"`},
		"a port that is none":         {"--inbound-port-exclusion-list=80,http", "-inbound-port-exclusion-list", "http"},
		"a port that is too high":     {"--outbound-port-exclusion-list=65536", "-outbound-port-exclusion-list", "65536"},
		"an address without a length": {"--outbound-ip-range-exclusion-list=10.0.0.1/33", "-outbound-ip-range-exclusion-list", "10.0.0.1/33"},
		"a range of words":            {"--outbound-ip-range-inclusion-list=all", "-outbound-ip-range-inclusion-list", "all"},
		"an interface with a slash":   {"--network-interface-exclusion-list=net1,net/2", "-network-interface-exclusion-list", `"net/2"`},
		"resources that are no JSON":  {"--sidecar-resources=cpu=1", "-sidecar-resources", ""},
		"resources that are misspelt": {`--sidecar-resources={"limit":{}}`, "-sidecar-resources", `"limit"`},
		"a quantity of nothing":       {`--sidecar-resources={"limits":{"cpu":"much"}}`, "-sidecar-resources", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("osm-test", []string{test.arg})
			if err == nil || !strings.Contains(err.Error(), test.flag) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s and %s", err, test.flag, test.want)
			}
		})
	}
	if _, err := Parse("osm-test", []string{"--interception=none", "extra"}); err == nil || !strings.Contains(err.Error(), `unexpected argument "extra"`) {
		t.Errorf("error %v", err)
	}
	if _, err := Parse("osm-test", []string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v, want %v", err, flag.ErrHelp)
	}
}
