package injector

import (
	"math"
	"math/big"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// room is what the LimitRanges of a namespace leave one container of a resource.
// What is nil they do not bound.
type room struct {
	name     corev1.ResourceName
	min, max *resource.Quantity
	// ratio is how many times its request a limit may be, and positive.
	ratio *resource.Quantity
	// defaulted is set if containers without any are given some.
	defaulted bool
}

// roomOf is the room for a container beside those that have limits of taken in
// all. Where they leave too little for a sidecar, the API server is to refuse the
// pod, and says why.
func roomOf(u usual, ranges []*corev1.LimitRange, taken resource.Quantity) room {
	name, r := u.name, room{name: u.name}
	for _, limits := range ranges {
		for i := range limits.Spec.Limits {
			switch item := &limits.Spec.Limits[i]; item.Type {
			case corev1.LimitTypeContainer:
				r.defaulted = r.defaulted || quantityOf(item.Default, name) != nil || quantityOf(item.DefaultRequest, name) != nil
				r.min = bound(r.min, item.Min, name, 1)
				r.max = bound(r.max, item.Max, name, -1)
				r.ratio = bound(r.ratio, item.MaxLimitRequestRatio, name, -1)
			case corev1.LimitTypePod:
				// A pod keeps to a ratio that each of its containers keeps to.
				r.ratio = bound(r.ratio, item.MaxLimitRequestRatio, name, -1)
				if most, set := item.Max[name]; set {
					most.Sub(taken)
					if most.Cmp(u.request) >= 0 {
						r.max = bound(r.max, corev1.ResourceList{name: most}, name, -1)
					}
				}
			}
		}
	}
	if r.ratio != nil && r.ratio.MilliValue() <= 0 {
		r.ratio = nil // no pod could be created
	}
	return r
}

// bound is the tighter one of what is there and what list has: the larger if
// sign is 1, the smaller if it is -1.
func bound(there *resource.Quantity, list corev1.ResourceList, name corev1.ResourceName, sign int) *resource.Quantity {
	quantity, set := list[name]
	if !set || there != nil && quantity.Cmp(*there)*sign <= 0 {
		return there
	}
	return &quantity
}

// taken is the largest sum of the limits of what runs in pod beside its sidecar at
// one time. A native sidecar runs beside init containers, too, which start one
// after the other (KEP-753, "Sidecar Containers").
func taken(pod *corev1.Pod, name corev1.ResourceName, placement Placement) resource.Quantity {
	var goingOn, most resource.Quantity
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		during := goingOn.DeepCopy()
		during.Add(c.Resources.Limits[name])
		most = larger(most, during)
		if isNativeSidecar(c) {
			goingOn = during
		}
	}
	for i := range pod.Spec.Containers {
		goingOn.Add(pod.Spec.Containers[i].Resources.Limits[name])
	}
	if placement != Native {
		return goingOn
	}
	return larger(most, goingOn)
}

// within returns the quantity that is nearest to q in the room.
func (r room) within(q resource.Quantity) resource.Quantity {
	if r.min != nil {
		q = larger(q, *r.min)
	}
	if r.max != nil {
		q = smaller(q, *r.max)
	}
	return q
}

// most is the largest limit that a request may have.
func (r room) most(request resource.Quantity) resource.Quantity {
	return r.scale(request, r.ratio.MilliValue(), 1000, false)
}

// least is the smallest request that a limit may have.
func (r room) least(limit resource.Quantity) resource.Quantity {
	return r.scale(limit, 1000, r.ratio.MilliValue(), true)
}

// scale multiplies a quantity by by/of: of thousandths of a CPU, or of bytes.
func (r room) scale(q resource.Quantity, by, of int64, up bool) resource.Quantity {
	units := q.Value
	if r.name == corev1.ResourceCPU {
		units = q.MilliValue
	}
	product := new(big.Int).Mul(big.NewInt(units()), big.NewInt(by))
	quotient, rest := new(big.Int).QuoRem(product, big.NewInt(of), new(big.Int))
	if up && rest.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsInt64() {
		quotient.SetInt64(math.MaxInt64)
	}
	if r.name == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(quotient.Int64(), q.Format)
	}
	return *resource.NewQuantity(quotient.Int64(), q.Format)
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func smaller(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) > 0 {
		return b
	}
	return a
}
