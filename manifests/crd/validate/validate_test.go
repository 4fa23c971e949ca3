package validate_test

import (
	"strings"
	"testing"

	"github.com/osm-edge/osm/manifests/crd/validate"
)

func meshConfig(version, spec string) []byte {
	return []byte(`{"apiVersion":"config.openservicemesh.io/` + version + `","kind":"MeshConfig","metadata":{"name":"osm-mesh-config"},"spec":` + spec + `}`)
}

func TestAMeshConfigIsReadByThoseWhoFollowIt(t *testing.T) {
	for version, spec := range map[string]string{
		"v1":       `{"sidecar":{"image":"a"},"traffic":{"inboundPortExclusions":[]}}`,
		"v1alpha2": `{"sidecar":{"sidecarImage":"a"},"traffic":{"inboundPortExclusionList":[]}}`,
	} {
		config, err := validate.ReadMeshConfig(meshConfig(version, spec))
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		if config.Spec.Sidecar.Image != "a" || config.Spec.Traffic.InboundPortExclusions == nil || config.Spec.Traffic.OutboundPortExclusions != nil {
			t.Errorf("%s: %+v", version, config.Spec)
		}
	}
}

func TestAMeshConfigThatTheMeshCanNotWorkWithIsNotFollowed(t *testing.T) {
	for spec, want := range map[string]string{
		`{"certificate":{"serviceCertValidityDuration":"1d"}}`:               "spec.certificate.serviceCertValidityDuration",
		`{"traffic":{"outboundIPRangeExclusions":["10.0.0.1"]}}`:             "spec.traffic.outboundIPRangeExclusions[0]",
		`{"sidecar":{"resources":{"limits":{"cpu":"1e999999999"}}}}`:         "spec.sidecar.resources",
		`{"sidecar":{"logLevel":"loud"},"observability":{"logLevel":"low"}}`: "spec.observability.logLevel",
		`{"traffic":{"inboundPortExclusions":["http"]}}`:                     "inboundPortExclusions",
	} {
		if _, err := validate.ReadMeshConfig(meshConfig("v1", spec)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names %s", spec, err, want)
		}
	}
}
