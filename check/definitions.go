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
			c.fail(object, s.restart("osm-bootstrap"), "%s", problem)
		}
	}
	if len(s.Meshes) > 1 {
		c.warn("Cluster", "have one mesh in a cluster: osm uninstall mesh --mesh-name NAME --osm-namespace NAMESPACE",
			"meshes %s share the definitions and set their conversion webhook in turns", strings.Join(s.Meshes, " and "))
	}
	c.Summary = fmt.Sprintf("%s, stored as v1", count(len(wanted), "definition"))
}

// compareDefinition returns what is wrong with a definition.
func compareDefinition(is, wanted *apiextensionsv1.CustomResourceDefinition) string {
	if is == nil {
		return "it does not exist"
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
	for _, condition := range is.Status.Conditions {
		if condition.Type == apiextensionsv1.Established && condition.Status != apiextensionsv1.ConditionTrue {
			return "it is not established: " + condition.Message
		}
	}
	return ""
}
