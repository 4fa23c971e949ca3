package injector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

const (
	resourceAnnotation = "openservicemesh.io/sidecar-resource-"
	limitAnnotation    = resourceAnnotation + "limits-"
	requestAnnotation  = resourceAnnotation + "requests-"
)

// sidecarResources are those that a sidecar may request and be limited to.
func sidecarResources() [3]corev1.ResourceName {
	return [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
}

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
		quantity, err := parseQuantity(a.name, value)
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
	for _, name := range sidecarResources() {
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
