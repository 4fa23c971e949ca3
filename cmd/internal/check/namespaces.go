package check

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	monitoredByLabel    = mesh.MonitoredByLabel
	ignoreLabel         = mesh.IgnoreLabel
	injectionAnnotation = mesh.InjectionAnnotation
)

// Monitored reports whether a namespace is one of the mesh.
func (s *Snapshot) Monitored(ns *corev1.Namespace) bool {
	_, ignored := ns.Labels[ignoreLabel]
	return ns.Labels[monitoredByLabel] == s.Mesh && !ignored && ns.Name != s.Namespace && ns.DeletionTimestamp == nil && !system(ns.Name)
}

func system(name string) bool {
	return slices.Contains([]string{"kube-system", "kube-public", "kube-node-lease"}, name)
}

func (s *Snapshot) monitored() (all []string) {
	for i := range s.Namespaces {
		if s.Monitored(&s.Namespaces[i]) {
			all = append(all, s.Namespaces[i].Name)
		}
	}
	return all
}

func (s *Snapshot) namespaces(c *Check) {
	for i := range s.Namespaces {
		ns := &s.Namespaces[i]
		object := "Namespace " + ns.Name
		by, labelled := ns.Labels[monitoredByLabel]
		_, ignored := ns.Labels[ignoreLabel]
		switch {
		case !labelled:
		case (by == s.Mesh || !slices.Contains(s.Meshes, by)) && (system(ns.Name) || ns.Name == s.Namespace):
			c.warn(object, fmt.Sprintf("kubectl label namespace %s %s-", ns.Name, monitoredByLabel), "its label %s has no effect: the mesh leaves this namespace alone", monitoredByLabel)
		case !slices.Contains(s.Meshes, by):
			c.warn(object, fmt.Sprintf("to have it in mesh %s, or remove the label: kubectl label --overwrite namespace %s %s=%[1]s", s.Mesh, ns.Name, monitoredByLabel),
				"label %s names mesh %q, which is not there", monitoredByLabel, by)
		case by != s.Mesh:
		case ignored:
			c.warn(object, fmt.Sprintf("kubectl label namespace %s %s-", ns.Name, ignoreLabel), "it is labelled for the mesh and to be ignored, so it is ignored")
		}
		value, set := ns.Annotations[injectionAnnotation]
		if _, ok := mesh.Switch(value); set && s.Monitored(ns) && !ok {
			c.fail(object, fmt.Sprintf("kubectl annotate --overwrite namespace %s %s=enabled", ns.Name, injectionAnnotation),
				"annotation %s is %q, neither enabled nor disabled: its pods are refused", injectionAnnotation, value)
		}
		if left := s.Leftovers[ns.Name]; len(left) > 0 {
			c.warn(object, fmt.Sprintf("kubectl delete secret -n %s %s", ns.Name, strings.Join(left, " ")),
				"%s of osm-edge with the keys of its sidecars, which this mesh does not use: %s", count(len(left), "Secret"), names(left))
		}
	}
	c.Summary = count(len(s.monitored()), "namespace") + " of the mesh"
}
