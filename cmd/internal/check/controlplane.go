package check

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	versionLabel = "app.kubernetes.io/version"

	// leaseOld is well over what one that leads needs to renew its Lease, and
	// another to follow it.
	leaseOld = 30 * time.Second
)

func (s *Snapshot) controlPlane(c *Check) {
	available, versions := int32(0), map[string][]string{}
	for _, name := range Components {
		d := s.Deployments[name]
		if d == nil {
			c.fail(s.object("Deployment", name), s.upgrade(), "it does not exist")
			continue
		}
		s.deployment(d, c)
		available += d.Status.AvailableReplicas
		version := d.Labels[versionLabel]
		versions[version] = append(versions[version], name)
	}
	c.Summary = fmt.Sprintf("%s available", count(int(available), "replica"))
	s.versions(versions, c)
	for _, r := range s.Replicas {
		if r.NotReady != "" {
			c.fail(s.object("Pod", r.Pod), fmt.Sprintf("kubectl logs -n %s %s", s.Namespace, r.Pod), "it is not ready: %s", r.NotReady)
		}
	}
	s.leader(c)
}

func (s *Snapshot) deployment(d *appsv1.Deployment, c *Check) {
	object, wanted := s.object("Deployment", d.Name), int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	describe := fmt.Sprintf("kubectl describe pods -n %s -l app=%s", s.Namespace, d.Name)
	switch ready := d.Status.AvailableReplicas; {
	case wanted == 0:
		c.fail(object, fmt.Sprintf("kubectl scale deployment/%s -n %s --replicas=1", d.Name, s.Namespace), "it is scaled to no replica")
	case ready == 0:
		c.fail(object, describe, "none of %s is available%s", count(int(wanted), "replica"), reason(d))
	case ready < wanted:
		c.warn(object, describe, "%d of %s available%s", ready, count(int(wanted), "replica"), reason(d))
	}
}

// reason is why a Deployment comes no further, as far as it says.
func reason(d *appsv1.Deployment) string {
	for _, condition := range d.Status.Conditions {
		blocked := condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue ||
			condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse
		if blocked {
			return ": " + condition.Message
		}
	}
	return ""
}

func (s *Snapshot) versions(of map[string][]string, c *Check) {
	if len(of) == 1 {
		for version := range of {
			c.Summary += ", version " + version
		}
		return
	}
	var all []string
	for _, name := range Components {
		if d := s.Deployments[name]; d != nil {
			all = append(all, fmt.Sprintf("%s is %s", name, d.Labels[versionLabel]))
		}
	}
	if len(all) > 0 {
		c.fail("Namespace "+s.Namespace, s.upgrade(), "its components are of different versions: %s", strings.Join(all, ", "))
	}
}

// leader tells whether one osm-controller leads, by the clock of the API server.
func (s *Snapshot) leader(c *Check) {
	controller := s.Deployments["osm-controller"]
	if controller == nil || controller.Status.AvailableReplicas == 0 || s.ServerTime.IsZero() {
		return
	}
	object, fix := s.object("Lease", "osm-controller"), s.logs("osm-controller")
	switch l := s.Lease; {
	case l == nil || l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil:
		c.warn(object, fix, "no osm-controller leads: roots are not replaced, and no status is written")
	case s.ServerTime.Sub(l.Spec.RenewTime.Time) > leaseOld && s.ServerTime.Sub(written(l)) <= leaseOld:
		c.warn("Pod "+s.Namespace+"/"+*l.Spec.HolderIdentity, "set the clock of its node: kubectl get pod -n "+s.Namespace+" "+*l.Spec.HolderIdentity+" -o wide",
			"its clock is %s behind the API server's", written(l).Sub(l.Spec.RenewTime.Time).Round(time.Second))
	case s.ServerTime.Sub(l.Spec.RenewTime.Time) > leaseOld:
		c.warn(object, fix, "%s holds it and has not renewed it for %s: roots are not replaced, and no status is written",
			*l.Spec.HolderIdentity, s.ServerTime.Sub(l.Spec.RenewTime.Time).Round(time.Second))
	case l.Spec.RenewTime.Sub(s.ServerTime) > leaseOld:
		c.warn("Pod "+s.Namespace+"/"+*l.Spec.HolderIdentity, "set the clock of its node: kubectl get pod -n "+s.Namespace+" "+*l.Spec.HolderIdentity+" -o wide",
			"its clock is %s ahead of the API server's", l.Spec.RenewTime.Sub(s.ServerTime).Round(time.Second))
	}
}

// written is when the Lease was written last, by the clock of the API server.
func written(l *coordinationv1.Lease) (last time.Time) {
	for _, entry := range l.ManagedFields {
		if entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}
