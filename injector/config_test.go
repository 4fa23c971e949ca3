package injector

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector/pipy"
)

func TestSettingsThatCanNotWorkAreRefusedByName(t *testing.T) {
	tests := map[string]struct {
		edit func(*Settings)
		want string
	}{
		"no mesh name":                  {func(s *Settings) { s.MeshName = "" }, `mesh name ""`},
		"a mesh name that is no label":  {func(s *Settings) { s.MeshName = "my mesh" }, `mesh name "my mesh"`},
		"no namespace":                  {func(s *Settings) { s.Namespace = "" }, `namespace ""`},
		"a namespace with a dot":        {func(s *Settings) { s.Namespace = "osm.system" }, `namespace "osm.system"`},
		"no trust domain":               {func(s *Settings) { s.TrustDomain = "" }, `trust domain ""`},
		"a trust domain in capitals":    {func(s *Settings) { s.TrustDomain = "Cluster.Local" }, `trust domain "Cluster.Local"`},
		"a trust domain as an ID":       {func(s *Settings) { s.TrustDomain = "spiffe://cluster.local" }, "want a plain DNS name"},
		"a trust domain ending in dot":  {func(s *Settings) { s.TrustDomain = "cluster.local." }, "want a plain DNS name"},
		"a trust domain without end":    {func(s *Settings) { s.TrustDomain = strings.Repeat("a", 250) }, "longer than the 253 characters"},
		"no image":                      {func(s *Settings) { s.SidecarImage = "" }, "sidecar image: missing"},
		"an unknown pull policy":        {func(s *Settings) { s.ImagePullPolicy = "Sometimes" }, `image pull policy "Sometimes"`},
		"an SDS address without port":   {func(s *Settings) { s.SDSAddress = "controller" }, "SDS address: "},
		"an SDS address without host":   {func(s *Settings) { s.SDSAddress = ":15128" }, "lacks a host"},
		"an SDS address of a named one": {func(s *Settings) { s.SDSAddress = "controller:sds" }, `port "sds"`},
		"a cluster domain of no DNS":    {func(s *Settings) { s.ClusterDomain = "cluster_local" }, `cluster domain: "cluster_local": want`},
		"a cluster domain with its dot": {func(s *Settings) { s.ClusterDomain = "cluster.local." }, "without a final dot"},
		"a cluster domain too long":     {func(s *Settings) { s.ClusterDomain = strings.Repeat("a.", 90) + "a" }, "want a DNS domain"},
		"an unknown log level":          {func(s *Settings) { s.LogLevel = "loud" }, `log level "loud"`},
		"an unknown placement":          {func(s *Settings) { s.Placement = "auto" }, `sidecar placement "auto": want native or container`},
		"an unknown interception":       {func(s *Settings) { s.Interception = "iptables" }, `interception "iptables": want nftables or none`},
		"no image to intercept with":    {func(s *Settings) { s.InitImage = "" }, "init image: missing"},
		"port 0 excluded":               {func(s *Settings) { s.OutboundPortExclusions = []uint16{0} }, "outbound.excludePorts: 0 is not a port"},
		"a range that is none":          {func(s *Settings) { s.OutboundRangeExclusions = make([]netip.Prefix, 1) }, "is not a range"},
		"an interface that is none":     {func(s *Settings) { s.InterfaceExclusions = []string{"a/b"} }, `"a/b" is not the name of a network interface`},
		"too many interfaces":           {func(s *Settings) { s.InterfaceExclusions = make([]string, 257) }, "interface exclusions: a list of 257 entries"},
		"a limit of another resource":   {func(s *Settings) { s.SidecarResources.Limits["gpu"] = quantity("1") }, `limit of "gpu"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := testConfig(t).settings
			test.edit(&settings)
			if _, err := NewConfig(settings); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v lacks %q", err, test.want)
			}
		})
	}
}

func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	_, err := NewConfig(Settings{})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"mesh name", "trust domain", "sidecar image"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestAConfigDoesNotFollowTheSettingsItWasMadeOf(t *testing.T) {
	settings := testConfig(t).settings
	settings.InboundPortExclusions, settings.InterfaceExclusions = []uint16{9090}, []string{"net1"}
	config, err := NewConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	settings.SidecarResources.Limits[corev1.ResourceMemory] = quantity("1Gi")
	settings.InboundPortExclusions[0] = 1
	settings.InterfaceExclusions[0] = "net7"
	if got := config.settings.SidecarResources.Limits[corev1.ResourceMemory]; got.String() != "128Mi" {
		t.Errorf("the limit became %s", got.String())
	}
	if config.settings.InboundPortExclusions[0] != 9090 || config.settings.InterfaceExclusions[0] != "net1" {
		t.Errorf("the exclusions became %v and %v", config.settings.InboundPortExclusions, config.settings.InterfaceExclusions)
	}
}

func TestWithoutInterceptionThereIsNoInitImage(t *testing.T) {
	settings := testConfig(t).settings
	settings.Interception, settings.InitImage = NoInterception, ""
	if _, err := NewConfig(settings); err != nil {
		t.Error(err)
	}
}

func TestTheScriptsAreThoseThatArePublished(t *testing.T) {
	config, err := NewConfig(testConfig(t).settings)
	if err != nil {
		t.Fatal(err)
	}
	sources := config.volume.Projected.Sources
	projection := sources[len(sources)-1].ConfigMap
	if projection.Name != pipy.ConfigMapName() || len(projection.Items) != len(pipy.Scripts()) || !strings.HasPrefix(projection.Name, scriptsPrefix) {
		t.Errorf("projects %+v", projection)
	}
	for _, item := range projection.Items {
		if _, published := pipy.Scripts()[item.Key]; !published || item.Path != "pipy/"+item.Key {
			t.Errorf("projects %+v", item)
		}
	}
}
