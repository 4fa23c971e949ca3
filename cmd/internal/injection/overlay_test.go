package injection

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func cpu(amount string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(amount)}
}

// ofFlags has another value than the default in every field that a MeshConfig
// can say.
func ofFlags() injector.Settings {
	return injector.Settings{
		MeshName:                "osm",
		Namespace:               "osm-system",
		TrustDomain:             "cluster.local",
		SidecarImage:            "flags/pipy:1",
		InitImage:               "flags/osm-init:1",
		ImagePullPolicy:         corev1.PullAlways,
		SidecarResources:        corev1.ResourceRequirements{Limits: cpu("1"), Requests: cpu("500m")},
		PrivilegedInit:          true,
		InboundPortExclusions:   []uint16{1},
		OutboundPortExclusions:  []uint16{2},
		OutboundRangeExclusions: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		OutboundRangeInclusions: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		InterfaceExclusions:     []string{"net1"},
		LogLevel:                "error",
	}
}

func TestAMeshConfigTakesPrecedenceOverTheFlagsInWhatItSets(t *testing.T) {
	tests := map[string]struct {
		says v1.MeshConfigSpec
		want func(*injector.Settings)
	}{
		"nothing":       {v1.MeshConfigSpec{}, func(*injector.Settings) {}},
		"the image":     {v1.MeshConfigSpec{Sidecar: v1.Sidecar{Image: "a"}}, func(s *injector.Settings) { s.SidecarImage = "a" }},
		"osm-init's":    {v1.MeshConfigSpec{Sidecar: v1.Sidecar{InitImage: "a"}}, func(s *injector.Settings) { s.InitImage = "a" }},
		"the log level": {v1.MeshConfigSpec{Sidecar: v1.Sidecar{LogLevel: "debug"}}, func(s *injector.Settings) { s.LogLevel = "debug" }},
		"resources, all of them": {
			v1.MeshConfigSpec{Sidecar: v1.Sidecar{Resources: &v1.Resources{Limits: cpu("2")}}},
			func(s *injector.Settings) { s.SidecarResources = corev1.ResourceRequirements{Limits: cpu("2")} },
		},
		"no resources": {
			v1.MeshConfigSpec{Sidecar: v1.Sidecar{Resources: &v1.Resources{}}},
			func(s *injector.Settings) { s.SidecarResources = corev1.ResourceRequirements{} },
		},
		"no privilege": {v1.MeshConfigSpec{Sidecar: v1.Sidecar{PrivilegedInitContainer: new(bool)}}, func(s *injector.Settings) { s.PrivilegedInit = false }},
		"ports": {
			v1.MeshConfigSpec{Traffic: v1.Traffic{InboundPortExclusions: []v1.Port{80}, OutboundPortExclusions: []v1.Port{443, 53}}},
			func(s *injector.Settings) {
				s.InboundPortExclusions, s.OutboundPortExclusions = []uint16{80}, []uint16{443, 53}
			},
		},
		"ranges, in their canonical form": {
			v1.MeshConfigSpec{Traffic: v1.Traffic{OutboundIPRangeExclusions: []v1.IPRange{"::ffff:10.0.0.1/104"}, OutboundIPRangeInclusions: []v1.IPRange{"fd00::/8", "10.1.2.3/16"}}},
			func(s *injector.Settings) {
				s.OutboundRangeExclusions = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
				s.OutboundRangeInclusions = []netip.Prefix{netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("10.1.0.0/16")}
			},
		},
		"interfaces": {
			v1.MeshConfigSpec{Traffic: v1.Traffic{NetworkInterfaceExclusions: []v1.NetworkInterface{"net2", "a,b"}}},
			func(s *injector.Settings) { s.InterfaceExclusions = []string{"net2", "a,b"} },
		},
		"lists with nothing in them": {
			v1.MeshConfigSpec{Traffic: v1.Traffic{InboundPortExclusions: []v1.Port{}, OutboundIPRangeInclusions: []v1.IPRange{}, NetworkInterfaceExclusions: []v1.NetworkInterface{}}},
			func(s *injector.Settings) {
				s.InboundPortExclusions, s.OutboundRangeInclusions, s.InterfaceExclusions = nil, nil, nil
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := ofFlags()
			test.want(&want)
			got, err := Overlay(ofFlags(), &v1.MeshConfig{Spec: test.says})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("settings %+v, want %+v", got, want)
			}
		})
	}
}

func TestWithoutAMeshConfigTheFlagsCount(t *testing.T) {
	if got, err := Overlay(ofFlags(), nil); err != nil || !reflect.DeepEqual(got, ofFlags()) {
		t.Errorf("settings %+v, error %v", got, err)
	}
}

func TestAListThatCannotBeReadIsAnError(t *testing.T) {
	for name, traffic := range map[string]v1.Traffic{
		"a port":       {InboundPortExclusions: []v1.Port{70000}},
		"a range":      {OutboundIPRangeExclusions: []v1.IPRange{"10.0.0.1"}},
		"an interface": {NetworkInterfaceExclusions: []v1.NetworkInterface{"a/b"}},
	} {
		if _, err := Overlay(ofFlags(), &v1.MeshConfig{Spec: v1.MeshConfigSpec{Traffic: traffic}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFlagsThatTheMeshConfigOverrulesAreNamed(t *testing.T) {
	settings := injector.Settings{SidecarImage: "pipy:1", LogLevel: "warn", InboundPortExclusions: []uint16{80}}
	mesh := &v1.MeshConfig{Spec: v1.MeshConfigSpec{
		Sidecar: v1.Sidecar{Image: "pipy:2", LogLevel: "warn"},
		Traffic: v1.Traffic{InboundPortExclusions: []v1.Port{443}, OutboundPortExclusions: []v1.Port{}},
	}}
	if got := Overruled(settings, mesh); !slices.Equal(got, []string{"-sidecar-image", "-inbound-port-exclusion-list"}) {
		t.Errorf("%q", got)
	}
}
