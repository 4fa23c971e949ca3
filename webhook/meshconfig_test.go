package webhook_test

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/osm-edge/osm/webhook"
)

func TestSettingsThatTheMeshCanNotWorkWithAreRefusedByFieldAndFix(t *testing.T) {
	const validity, size = "spec.certificate.serviceCertValidityDuration", "spec.certificate.certKeyBitSize"
	certificate := func(fields string) string { return `{"spec":{"certificate":{` + fields + `}}}` }
	tests := map[string]struct {
		version, object string
		want            []string // nothing: allowed
	}{
		"nothing":               {"v1alpha2", `{"spec":{}}`, nil},
		"everything":            {"v1alpha2", certificate(`"serviceCertValidityDuration":"1h30m","certKeyBitSize":3072`), nil},
		"the shortest validity": {"v1alpha2", certificate(`"serviceCertValidityDuration":"1m"`), nil},
		"half hours":            {"v1", certificate(`"serviceCertValidityDuration":"1.5h","keyAlgorithm":"ed25519"`), nil},
		"a validity in days":    {"v1alpha2", certificate(`"serviceCertValidityDuration":"1d"`), []string{validity, `"1d"`, "24h, 30m or 1h30m"}},
		"a validity too short":  {"v1alpha2", certificate(`"serviceCertValidityDuration":"59s"`), []string{validity, "at least 1m"}},
		"a validity too long":   {"v1", certificate(`"serviceCertValidityDuration":"87601h"`), []string{validity, "ten years"}},
		"a negative validity":   {"v1alpha2", certificate(`"serviceCertValidityDuration":"-24h"`), []string{validity, "at least 1m"}},
		"beyond the root":       {"v1", certificate(`"serviceCertValidityDuration":"1001h"`), []string{validity, "beyond the root, which expires at"}},
		"a short key":           {"v1alpha2", certificate(`"certKeyBitSize":1024`), []string{size, "rsa-1024", "rsa-2048"}},
		"an unknown algorithm":  {"v1", certificate(`"keyAlgorithm":"dsa"`), []string{"spec.certificate.keyAlgorithm", "dsa", "ecdsa-p256"}},

		"an empty image, as osm-edge's": {"v1alpha2", `{"spec":{"sidecar":{"sidecarImage":"","logLevel":"critical"}}}`, nil},
		"an image that is pinned":       {"v1", `{"spec":{"sidecar":{"image":"flomesh/pipy@` + pinned + `","initImage":"r.example/osm-init:v1@` + pinned + `"}}}`, nil},
		"pinned, as osm-edge's":         {"v1alpha2", `{"spec":{"sidecar":{"sidecarImage":"flomesh/pipy@` + pinned + `","initContainerImage":"osm-init@` + pinned + `"}}}`, nil},
		"a digest that is cut off":      {"v1alpha2", `{"spec":{"sidecar":{"initContainerImage":"osm-init@sha256:abc"}}}`, []string{"spec.sidecar.initContainerImage", "64 hexadecimal"}},
		"an image with blanks":          {"v1alpha2", `{"spec":{"sidecar":{"sidecarImage":"a b"}}}`, []string{"spec.sidecar.sidecarImage", "without blanks"}},
		"an unknown level":              {"v1alpha2", `{"spec":{"observability":{"osmLogLevel":"loud"}}}`, []string{"spec.observability.osmLogLevel", "want debug, info, warn or error"}},
		"unreadable resources":          {"v1alpha2", `{"spec":{"sidecar":{"resources":{"limits":{"cpu":"much"}}}}}`, []string{"spec.sidecar.resources", "quantities"}},
		"a request above the limit":     {"v1", `{"spec":{"sidecar":{"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}}}`, []string{"spec.sidecar.resources.requests[cpu]", "above the limit of 1"}},
		"a resource of no container":    {"v1", `{"spec":{"sidecar":{"resources":{"limits":{"storage":"1Gi","cpu":"-1"}}}}}`, []string{"limits[storage]", "ephemeral-storage", "limits[cpu]", "negative"}},

		"ports and ranges": {"v1alpha2", `{"spec":{"traffic":{"inboundPortExclusionList":[80,80],"outboundIPRangeExclusionList":["10.0.0.0/8","fd00::/8"],"networkInterfaceExclusionList":["net1"]}}}`, nil},
		"a port too high":  {"v1alpha2", `{"spec":{"traffic":{"outboundPortExclusionList":[80,65536]}}}`, []string{"spec.traffic.outboundPortExclusionList[1]", "1 to 65535"}},
		"an address":       {"v1alpha2", `{"spec":{"traffic":{"outboundIPRangeInclusionList":["10.0.0.1"]}}}`, []string{"spec.traffic.outboundIPRangeInclusionList[0]", "write 10.0.0.1/32"}},
		"no range":         {"v1", `{"spec":{"traffic":{"outboundIPRangeExclusions":["10.0.0.0/33"]}}}`, []string{"spec.traffic.outboundIPRangeExclusions[0]", "CIDR"}},
		"half an IPv4":     {"v1", `{"spec":{"traffic":{"outboundIPRangeExclusions":["::ffff:10.0.0.0/8"]}}}`, []string{"IPv4 address with an IPv6 length"}},
		"no interface":     {"v1", `{"spec":{"traffic":{"networkInterfaceExclusions":["a/b"]}}}`, []string{"spec.traffic.networkInterfaceExclusions[0]"}},
		"too many ports":   {"v1", `{"spec":{"traffic":{"inboundPortExclusions":[` + strings.Repeat("80,", 256) + `80]}}}`, []string{"spec.traffic.inboundPortExclusions", "256"}},

		"a quantity that takes long to read": {"v1", `{"spec":{"sidecar":{"resources":{"limits":{"cpu":"1e999999999"}}}}}`, []string{"spec.sidecar.resources", "quantities"}},
		"a spoilt annotation": {"v1", `{"metadata":{"name":"mine","annotations":{"config.openservicemesh.io/v1alpha2-fields":"["}}}`,
			[]string{"decoding MeshConfig mine", "remove the annotation"}},
	}
	options := webhook.ValidatorOptions{
		RootNotAfter: func(context.Context) (time.Time, bool) { return time.Now().Add(1000 * time.Hour), true },
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, validate(t, options, validationOf(admissionv1.Create, test.version, "MeshConfig", test.object, "{}")), test.want)
		})
	}
}

func TestSettingsCanBeDeleted(t *testing.T) {
	expect(t, validate(t, webhook.ValidatorOptions{}, validationOf(admissionv1.Delete, "v1alpha2", "MeshConfig", "{}", "{}")), nil)
}

// pinned is a digest.
const pinned = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
