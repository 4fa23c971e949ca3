package injector

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
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
		"an unknown log level":          {func(s *Settings) { s.LogLevel = "loud" }, `log level "loud"`},
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
	config, err := NewConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	settings.SidecarResources.Limits[corev1.ResourceMemory] = quantity("1Gi")
	if got := sidecar(config).Resources.Limits[corev1.ResourceMemory]; got.String() != "128Mi" {
		t.Errorf("the limit became %s", got.String())
	}
}
