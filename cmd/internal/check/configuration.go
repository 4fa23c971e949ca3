package check

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

func (s *Snapshot) configuration(c *Check) {
	object := s.object("MeshConfig", v1.MeshConfigName)
	if s.MeshConfig == nil {
		c.warn(object, s.restart("osm-bootstrap"), "it does not exist: the mesh keeps to what it was installed with")
		return
	}
	c.Summary = "MeshConfig " + v1.MeshConfigName
	edit := fmt.Sprintf("kubectl edit meshconfig %s -n %s", v1.MeshConfigName, s.Namespace)
	status := s.MeshConfig.Status
	switch ready := meta.FindStatusCondition(status.Conditions, v1.ConditionReady); {
	case ready == nil || status.ObservedGeneration != s.MeshConfig.Generation:
		c.warn(object, s.logs("osm-controller"), "osm-controller has not taken notice of it yet")
	case ready.Status != metav1.ConditionTrue:
		c.fail(object, edit, "%s", ready.Message)
	default:
		c.Summary += " is followed"
	}
}
