package injector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

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
	known := sidecarResources()
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		if !slices.Contains(known[:], name) {
			problems = append(problems, fmt.Errorf("sidecar resources: %s of %q: want %v", kind, name, known))
		} else if _, err := settleQuantity(name, quantity); err != nil {
			problems = append(problems, fmt.Errorf("sidecar resources: %s of %s %s: %w", kind, &quantity, name, err))
		}
	}
	return errors.Join(problems...)
}
