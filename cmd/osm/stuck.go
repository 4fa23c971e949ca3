package main

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// stuck says of each object that is there after all why it is.
func (r *removal) stuck(objects []found, refusals map[leftover]error, again map[leftover]bool) error {
	var lines []string
	for _, one := range objects {
		line := fmt.Sprintf("%s is not deleted yet", one)
		if refusal := refusals[one.leftover]; refusal != nil {
			line = fmt.Sprintf("%s is not deleted: %v", one, refusal)
		}
		if again[one.leftover] {
			line = fmt.Sprintf("%s is made again each time that it is deleted, by %s: stop that first", one, makersOf(one.object))
		}
		if len(one.object.Finalizers) > 0 {
			line = fmt.Sprintf("%s %s", one, waitsForFinalizers(one.kind.GroupVersionResource, one.object))
		}
		lines = append(lines, line)
	}
	return fmt.Errorf("not gone after %s:\n  %s", r.timeout, strings.Join(lines, "\n  "))
}

// waitsForFinalizers says what an object waits for, and how that is ended by hand.
func waitsForFinalizers(resource schema.GroupVersionResource, o metav1.Object) string {
	kind := resource.Resource
	if resource.Group != "" {
		kind += "." + resource.Version + "." + resource.Group
	}
	return fmt.Sprintf("waits for its finalizer %s: start what removes it, or\n    kubectl patch %s %s%s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
		strings.Join(o.GetFinalizers(), ", "), kind, o.GetName(), inNamespace(o.GetNamespace()))
}

// makersOf names the programs that have written an object.
func makersOf(o metav1.Object) string {
	var names []string
	for _, entry := range o.GetManagedFields() {
		if !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	if len(names) == 0 {
		return "a program unknown"
	}
	return strings.Join(names, ", ")
}

func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " -n " + namespace
}
