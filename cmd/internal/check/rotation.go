package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	// distributeTimeout is how long pods may take before it is reported.
	distributeTimeout = 30 * time.Second
	// signTimeout is well over what it takes to replace all certificates.
	signTimeout = 15 * time.Minute
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
	lasts := max(0, s.Now.Sub(since))
	if step == rotation.Idle {
		c.Summary = "no root is being replaced"
		return
	}
	c.Summary = fmt.Sprintf("a root is being replaced, step %s for %s", step, lasts.Round(time.Second))
	object, status := s.rotating()
	switch {
	case step == rotation.Distribute && lasts > stuck && (status.Deadline == nil || s.Now.After(status.Deadline.Time)):
		c.fail(object, s.logs("osm-controller"), "the new root has been distributed for %s and does not sign yet", lasts.Round(time.Minute))
	case step == rotation.Distribute && lasts > distributeTimeout && len(status.Missing) > 0:
		c.warn(object, s.acknowledge(status.Missing),
			"%d of %s acknowledged the new root; missing: %s", status.Acknowledged, count(int(status.Pods), "pod"), names(status.Missing))
	case step == rotation.Sign && lasts > signTimeout && status.Certificates == 0:
		c.warn(object, s.logs("osm-controller"), "osm-controller has not reported for %s how many certificates are replaced", lasts.Round(time.Minute))
	case step == rotation.Sign && lasts > signTimeout:
		c.warn(object, s.logs("osm-controller"), "%d of %s replaced after %s",
			status.Replaced, count(int(status.Certificates), "certificate"), lasts.Round(time.Minute))
	}
}

// acknowledge is how pods that are missing come to trust the new root. The
// replacement continues without them at its deadline.
func (s *Snapshot) acknowledge(missing []string) string {
	if len(missing) == 0 {
		return s.Command("ca show", false)
	}
	namespace, _, _ := strings.Cut(missing[0], "/")
	var pods []Pod
	for _, one := range missing {
		in, name, _ := strings.Cut(one, "/")
		if i := slices.IndexFunc(s.Pods, func(p Pod) bool { return p.Namespace == in && p.Name == name }); in == namespace && i >= 0 {
			pods = append(pods, s.Pods[i])
		} else if in == namespace {
			pods = append(pods, Pod{Namespace: in, Name: name})
		}
	}
	return fmt.Sprintf("see what is wrong with them, wait for the deadline (%s), or replace them: %s", s.Command("ca show", false), replace(namespace, pods))
}

// rotating returns the MeshRootCertificate that comes, and how far it is.
func (s *Snapshot) rotating() (object string, status v1.RotationStatus) {
	for _, root := range s.Roots {
		if root.Status.Rotation != nil {
			return s.object("MeshRootCertificate", root.Name), *root.Status.Rotation
		}
	}
	return s.object("ConfigMap", rotation.ConfigMapName), v1.RotationStatus{}
}
