package check

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/osm-edge/osm/manifests"
)

func (s *Snapshot) definitions(c *Check) {
	wanted, err := manifests.CRDs(s.Namespace)
	if err != nil {
		c.fail("osm", "install another build of osm", "it cannot read its own definitions: %s", err)
		return
	}
	for _, w := range wanted {
		object := "CustomResourceDefinition " + w.Name
		if problem := compareDefinition(s.Definitions[w.Name], w); problem != "" {
			c.fail(object, s.redefine(s.Definitions[w.Name], w), "%s", problem)
		}
	}
	if len(s.Others) > 0 {
		names, other := []string{s.Mesh}, s.Others[0]
		for _, o := range s.Others {
			names = append(names, o.Mesh)
		}
		c.warn("Cluster", "have one mesh in a cluster; to keep this one: "+(&Snapshot{Mesh: other.Mesh, Namespace: other.Namespace}).Command("uninstall mesh", true),
			"meshes %s share the definitions and set their conversion webhook in turns", strings.Join(names, " and "))
	}
	c.Summary = fmt.Sprintf("%s, stored as v1", count(len(wanted), "definition"))
}

// compareDefinition returns what is wrong with a definition.
func compareDefinition(is, wanted *apiextensionsv1.CustomResourceDefinition) (problem string) {
	if is == nil {
		return "it does not exist"
	}
	if is.DeletionTimestamp != nil {
		return "it is being deleted, with all of its objects"
	}
	for _, version := range wanted.Spec.Versions {
		i := slices.IndexFunc(is.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version.Name })
		switch {
		case i < 0:
			return fmt.Sprintf("it has no version %s", version.Name)
		case is.Spec.Versions[i].Served != version.Served:
			return fmt.Sprintf("its version %s is not served", version.Name)
		case is.Spec.Versions[i].Storage != version.Storage:
			return fmt.Sprintf("it stores another version than %s", version.Name)
		}
	}
	if names := namesTaken(is); names != "" {
		return "its names are those of another definition: " + names
	}
	for _, condition := range is.Status.Conditions {
		if condition.Type == apiextensionsv1.Established && condition.Status != apiextensionsv1.ConditionTrue {
			return "it is not established: " + condition.Message
		}
	}
	return ""
}

// namesTaken is what the API server says of names that it does not accept.
func namesTaken(is *apiextensionsv1.CustomResourceDefinition) string {
	for _, condition := range is.Status.Conditions {
		if condition.Type == apiextensionsv1.NamesAccepted && condition.Status == apiextensionsv1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

// redefine is how a definition becomes the wanted one. osm-bootstrap applies it,
// as soon as the API server takes it.
func (s *Snapshot) redefine(is, wanted *apiextensionsv1.CustomResourceDefinition) string {
	restart := s.restart("osm-bootstrap")
	switch {
	case is != nil && is.DeletionTimestamp != nil:
		return fmt.Sprintf("remove the finalizers that its objects wait for, and then %s: kubectl get %s -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,FINALIZERS:.metadata.finalizers", restart, wanted.Name)
	case is != nil && namesTaken(is) != "":
		return fmt.Sprintf("delete the other definition, or have it give up these names, and then %s: kubectl get crd -o custom-columns=NAME:.metadata.name,KIND:.spec.names.kind,PLURAL:.spec.names.plural,SHORT:.spec.names.shortNames", restart)
	}
	return restart
}
