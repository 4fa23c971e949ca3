package certmanager

import (
	"strings"
	"testing"
	"time"

	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/typed/certmanager/v1"
)

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	good := Options{Client: &cmclient.CertmanagerV1Client{}, Issuer: Reference{Name: "osm-ca"}, Mesh: "osm", Holder: "osm-controller-1"}
	tests := map[string]struct {
		change func(*Options)
		says   string
	}{
		"they are good":       {func(*Options) {}, ""},
		"an external issuer":  {func(o *Options) { o.Issuer = Reference{"ca", "StepIssuer", "certmanager.step.sm"} }, ""},
		"no name":             {func(o *Options) { o.Issuer.Name = "" }, "name of cert-manager's issuer is empty"},
		"a kind of no issuer": {func(o *Options) { o.Issuer.Kind = "Certificate" }, `no issuers of kind "Certificate": it must be Issuer or ClusterIssuer`},
		"no mesh":             {func(o *Options) { o.Mesh = "" }, `the mesh ""`},
		"a holder of spaces":  {func(o *Options) { o.Holder = "a pod" }, `the holder "a pod"`},
		"a long timeout":      {func(o *Options) { o.Timeout = time.Hour }, "not between 0 and 5m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			i, err := New(o)
			if test.says == "" {
				if err != nil || i == nil {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
}
