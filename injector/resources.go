package injector

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	resourceAnnotation = "openservicemesh.io/sidecar-resource-"
	limitAnnotation    = resourceAnnotation + "limits-"
	requestAnnotation  = resourceAnnotation + "requests-"
)

// annotatedResource is an annotation and the resource that it speaks of.
type annotatedResource struct {
	key  string
	name corev1.ResourceName
}

// The annotations of either kind. Containers have no resource "storage", so it
// means ephemeral-storage; an object that has both annotations says the latter,
// which is why it comes last.

func limitAnnotations() [4]annotatedResource {
	return [...]annotatedResource{
		{limitAnnotation + "cpu", corev1.ResourceCPU},
		{limitAnnotation + "memory", corev1.ResourceMemory},
		{limitAnnotation + "storage", corev1.ResourceEphemeralStorage},
		{limitAnnotation + "ephemeral-storage", corev1.ResourceEphemeralStorage},
	}
}

func requestAnnotations() [4]annotatedResource {
	return [...]annotatedResource{
		{requestAnnotation + "cpu", corev1.ResourceCPU},
		{requestAnnotation + "memory", corev1.ResourceMemory},
		{requestAnnotation + "storage", corev1.ResourceEphemeralStorage},
		{requestAnnotation + "ephemeral-storage", corev1.ResourceEphemeralStorage},
	}
}

// annotatedResources are the sidecar's resources as far as annotations say
// them. The error names every annotation that is wrong.
func annotatedResources(annotations map[string]string) (corev1.ResourceRequirements, error) {
	if len(annotations) == 0 {
		return corev1.ResourceRequirements{}, nil
	}
	limits, limitsErr := annotatedQuantities(annotations, limitAnnotations())
	requests, requestsErr := annotatedQuantities(annotations, requestAnnotations())
	return corev1.ResourceRequirements{Limits: limits, Requests: requests}, errors.Join(limitsErr, requestsErr)
}

func annotatedQuantities(annotations map[string]string, of [4]annotatedResource) (corev1.ResourceList, error) {
	var list corev1.ResourceList
	var problems []error
	for _, a := range of {
		value, set := annotations[a.key]
		if !set {
			continue
		}
		quantity, err := mesh.ParseAmount(a.name, value)
		if err != nil {
			problems = append(problems, fmt.Errorf("annotation %s is %.64q: %w", a.key, value, err))
			continue
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[a.name] = quantity
	}
	return list, errors.Join(problems...)
}

// resourceLayer is what one place says about the sidecar's resources.
type resourceLayer struct {
	origin string // such as "the pod's annotation"
	corev1.ResourceRequirements
}

func (l resourceLayer) silent() bool { return len(l.Limits) == 0 && len(l.Requests) == 0 }

// mergeResources takes every quantity from the last layer that has it. The
// first layer is the mesh's, and its maps are returned as they are if no other
// says anything.
func mergeResources(layers ...resourceLayer) (corev1.ResourceRequirements, error) {
	merged := layers[0].ResourceRequirements
	if !slices.ContainsFunc(layers[1:], func(l resourceLayer) bool { return !l.silent() }) {
		return merged, nil
	}
	merged.Limits, merged.Requests = corev1.ResourceList{}, corev1.ResourceList{}
	for _, layer := range layers {
		maps.Copy(merged.Limits, layer.Limits)
		maps.Copy(merged.Requests, layer.Requests)
	}
	if name, above := requestAboveLimit(merged); above {
		return corev1.ResourceRequirements{}, aboveLimit(name, merged, layers)
	}
	return merged, nil
}

// requestAboveLimit finds a request that the API server would refuse.
func requestAboveLimit(r corev1.ResourceRequirements) (name corev1.ResourceName, above bool) {
	for _, name := range mesh.SidecarResources() {
		request, requested := r.Requests[name]
		limit, limited := r.Limits[name]
		if requested && limited && request.Cmp(limit) > 0 {
			return name, true
		}
	}
	return "", false
}

func aboveLimit(name corev1.ResourceName, merged corev1.ResourceRequirements, layers []resourceLayer) error {
	var ofRequest, ofLimit string
	for _, layer := range layers {
		if _, set := layer.Requests[name]; set {
			ofRequest = layer.origin
		}
		if _, set := layer.Limits[name]; set {
			ofLimit = layer.origin
		}
	}
	request, limit := merged.Requests[name], merged.Limits[name]
	return fmt.Errorf("the sidecar's request of %s %s, from %s, is above its limit of %s, from %s: lower the one with the annotation %s%s or raise the other with %s%s",
		&request, name, ofRequest, &limit, ofLimit, requestAnnotation, name, limitAnnotation, name)
}

// checkResources tells what keeps r from being the sidecar's everywhere. The
// error names every quantity that is wrong.
func checkResources(r corev1.ResourceRequirements) error {
	err := errors.Join(checkQuantities("limit", r.Limits), checkQuantities("request", r.Requests))
	if name, above := requestAboveLimit(r); err == nil && above {
		request, limit := r.Requests[name], r.Limits[name]
		err = fmt.Errorf("sidecar resources: the request of %s %s is above the limit of %s", &request, name, &limit)
	}
	return err
}

func checkQuantities(kind string, list corev1.ResourceList) error {
	var problems []error
	known := mesh.SidecarResources()
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		if !slices.Contains(known[:], name) {
			problems = append(problems, fmt.Errorf("sidecar resources: %s of %q: want %v", kind, name, known))
		} else if _, err := mesh.Amount(name, quantity); err != nil {
			problems = append(problems, fmt.Errorf("sidecar resources: %s of %s %s: %w", kind, &quantity, name, err))
		}
	}
	return errors.Join(problems...)
}

// resourcesView is what a pod or a container has of the resources that a sidecar
// has, too.
type resourcesView struct {
	Limits   amountsView `json:"limits"`
	Requests amountsView `json:"requests"`
}

type amountsView struct {
	CPU     amount `json:"cpu"`
	Memory  amount `json:"memory"`
	Storage amount `json:"ephemeral-storage"`
}

// amount is a quantity of a user's. It is read only if that takes no longer than
// its text: an API server writes none that it does not, whatever it was sent.
type amount struct{ quantity *resource.Quantity }

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(text []byte) error {
	value := strings.Trim(string(bytes.TrimSpace(text)), `"`)
	if !mesh.ParsesAtOnce(value) {
		return nil
	}
	if quantity, err := resource.ParseQuantity(value); err == nil {
		a.quantity = &quantity
	}
	return nil
}

func (v resourcesView) requirements() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Limits: v.Limits.list(), Requests: v.Requests.list()}
}

// list is nil if there is nothing in it.
func (v amountsView) list() (list corev1.ResourceList) {
	for i, amount := range [...]amount{v.CPU, v.Memory, v.Storage} {
		if amount.quantity == nil {
			continue
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[mesh.SidecarResources()[i]] = *amount.quantity
	}
	return list
}

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

// usual is how much of a resource a sidecar has where nothing else is set. It is
// measured: docs/injection.md#resources has the figures, and what they are good for.
type usual struct {
	name corev1.ResourceName
	// request covers a sidecar with little to do.
	request resource.Quantity
	// steady is what it can work with and have no more of. It is both request and
	// limit in Guaranteed pods, and the smallest limit in others.
	steady resource.Quantity
	// limit is the largest limit.
	limit resource.Quantity
	// guaranteed is set in Guaranteed pods, where a request is to be the limit.
	// asked is set where the pod itself asks for the request beside a limit.
	guaranteed, asked bool
}

// usualResources are in the order of sidecarResources.
func usualResources() [3]usual {
	return [...]usual{
		{name: corev1.ResourceCPU, request: resource.MustParse("10m"), steady: resource.MustParse("100m"), limit: resource.MustParse("500m")},
		{name: corev1.ResourceMemory, request: resource.MustParse("32Mi"), steady: resource.MustParse("128Mi"), limit: resource.MustParse("512Mi")},
		// What the kubelet keeps of a container's log counts: by default, 50Mi.
		{name: corev1.ResourceEphemeralStorage, request: resource.MustParse("16Mi"), steady: resource.MustParse("128Mi"), limit: resource.MustParse("128Mi")},
	}
}
