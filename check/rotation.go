package check

import (
	"fmt"
	"time"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/trust"
)

const (
	// distributePatience is how long pods may take before somebody is told.
	distributePatience = 30 * time.Second
	// signPatience is well over what it takes to replace all certificates.
	signPatience = 15 * time.Minute
	// stuck is after any deadline that is set with sense.
	stuck = time.Hour
)

func (s *Snapshot) rotation(c *Check) {
	state, err := s.state()
	if err != nil {
		c.Summary = "the record cannot be read"
		return
	}
	step, since := state.Step()
	lasts := s.Now.Sub(since)
	if step == trust.Settled {
		c.Summary = "no root is being replaced"
		return
	}
	c.Summary = fmt.Sprintf("a root is being replaced, step %s for %s", step, lasts.Round(time.Second))
	object, status := s.rotating()
	switch {
	case step == trust.Distribute && lasts > stuck:
		c.fail(object, s.logs("osm-controller"), "the new root has been distributed for %s and does not sign yet", lasts.Round(time.Minute))
	case step == trust.Distribute && lasts > distributePatience && len(status.Missing) > 0:
		c.warn(object, "restart them, or wait for the deadline: osm ca show",
			"%d of %s acknowledged the new root; missing: %s", status.Acknowledged, count(int(status.Pods), "pod"), names(status.Missing))
	case step == trust.Sign && lasts > signPatience:
		c.warn(object, s.logs("osm-controller"), "%d of %s replaced after %s",
			status.Replaced, count(int(status.Certificates), "certificate"), lasts.Round(time.Minute))
	}
}

// rotating returns the MeshRootCertificate that comes, and how far it is.
func (s *Snapshot) rotating() (object string, status v1.RotationStatus) {
	for _, root := range s.Roots {
		if root.Status.Rotation != nil {
			return s.object("MeshRootCertificate", root.Name), *root.Status.Rotation
		}
	}
	return s.object("ConfigMap", trust.ConfigMapName), v1.RotationStatus{}
}
