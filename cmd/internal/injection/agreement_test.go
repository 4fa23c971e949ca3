package injection

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

// TestTheInjectorFollowsEachMeshConfigThatIsValid makes up MeshConfigs: the webhook
// and osm-controller, which says in the status whether one counts, must not take
// what osm-injector refuses.
func TestTheInjectorFollowsEachMeshConfigThatIsValid(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	amounts := []string{"0", "1", "100m", "0.5m", "64Mi", "128m", "-1", "9Pi", "8Pi", "0.1Gi", "1e3", "1e-99"}
	ranges := []string{"10.0.0.0/8", "10.0.0.1", "fd00::/8", "::ffff:10.0.0.0/104", "::ffff:10.0.0.0/8", "fe80::1%eth0", "x", ""}
	interfaces := []string{"net1", "a/b", "", ".", "a,b", "sixteen-letters-"}
	taken := 0
	for range 2000 {
		object := map[string]any{"spec": map[string]any{
			"sidecar": map[string]any{
				"logLevel": pick(random, []string{"", "debug", "loud"}, 0.9), "image": "a",
				"resources": map[string]any{
					"limits":   map[string]any{pick(random, []string{"cpu", "memory", "pods"}, 0.9): pick(random, amounts, 0.7)},
					"requests": map[string]any{pick(random, []string{"cpu", "ephemeral-storage"}, 0.9): pick(random, amounts, 0.7)},
				},
			},
			"traffic": map[string]any{
				"inboundPortExclusions":      slices.Repeat([]int{1 + random.IntN(65535)}, []int{0, 1, 256, 257}[random.IntN(4)]),
				"outboundIPRangeExclusions":  []string{pick(random, ranges, 0.8)},
				"outboundIPRangeInclusions":  []string{pick(random, ranges, 0.8)},
				"networkInterfaceExclusions": []string{pick(random, interfaces, 0.8)},
			},
		}, "apiVersion": "config.openservicemesh.io/v1", "kind": "MeshConfig"}
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		config, invalid := validate.ReadMeshConfig(raw)
		if config == nil {
			continue // it has no such Go type
		}
		settings, err := Overlay(ofFlags(), config)
		if err == nil {
			_, err = injector.NewConfig(settings)
		}
		if invalid == nil {
			taken++
		}
		if invalid == nil && err != nil {
			t.Errorf("%s is valid, and osm-injector refuses it: %v", raw, err)
		}
	}
	if taken == 0 {
		t.Error("none was taken")
	}
}

// pick returns the first word with a probability, or any.
func pick(random *rand.Rand, words []string, first float64) string {
	if random.Float64() < first {
		return words[0]
	}
	return words[random.IntN(len(words))]
}
