package injector

import (
	"bytes"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

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
	if !parsesAtOnce(value) {
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
		list[sidecarResources()[i]] = *amount.quantity
	}
	return list
}
