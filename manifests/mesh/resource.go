package mesh

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	maxQuantityBytes = 64
	// maxExponentBytes are those of "e-18" and the like. What a quantity costs
	// to parse grows with the number that its exponent stands for, not with its
	// text.
	maxExponentBytes = 4
	// maxQuantity is 8Pi: a thousand times as much, which is how Kubernetes
	// counts CPU time, is still an int64.
	maxQuantity = 8 << 50
)

// SidecarResources are those that a sidecar may request and be limited to.
func SidecarResources() [3]corev1.ResourceName {
	return [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
}

// ParseAmount reads how much of a resource a sidecar gets. The error says
// what to write.
func ParseAmount(name corev1.ResourceName, value string) (resource.Quantity, error) {
	if !ParsesAtOnce(value) {
		return resource.Quantity{}, wantQuantity(name, "not a quantity")
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil {
		return resource.Quantity{}, wantQuantity(name, "not a quantity")
	}
	return Amount(name, quantity)
}

// ParsesAtOnce tells what may be a quantity, and does not take long to parse.
func ParsesAtOnce(value string) bool {
	exponent := strings.IndexAny(value, "eE")
	bounded := len(value) <= maxQuantityBytes && (exponent < 0 || len(value)-exponent <= maxExponentBytes)
	// Without a digit it would be parsed as 0.
	return bounded && strings.ContainsAny(value, "0123456789")
}

// Amount returns an amount of a sidecar as Kubernetes stores it. It refuses what the API server would refuse, and what it would
// take for something else than it says.
func Amount(name corev1.ResourceName, quantity resource.Quantity) (resource.Quantity, error) {
	rounded := quantity.DeepCopy()
	switch {
	case quantity.Sign() < 0:
		return resource.Quantity{}, wantQuantity(name, "negative")
	case quantity.CmpInt64(maxQuantity) > 0:
		return resource.Quantity{}, wantQuantity(name, "more than 8Pi")
	case name == corev1.ResourceCPU:
		if !rounded.RoundUp(resource.Milli) {
			return resource.Quantity{}, wantQuantity(name, "finer than a thousandth of a CPU")
		}
		return quantity, nil
	}
	// A part of a byte is a part of a much larger number, as in 0.1Gi, or the
	// m of thousandths, where M or Mi was meant.
	if !rounded.RoundUp(0) && quantity.CmpInt64(1<<10) < 0 {
		return resource.Quantity{}, wantQuantity(name, "fractions of bytes")
	}
	return rounded, nil
}

func wantQuantity(name corev1.ResourceName, problem string) error {
	example := "64Mi or 1Gi"
	if name == corev1.ResourceCPU {
		example = "100m or 0.5"
	}
	return fmt.Errorf("%s: want an amount of %s, such as %s", problem, name, example)
}
