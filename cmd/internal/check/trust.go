package check

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
)

// trusted returns the roots that are recorded, or none.
func (s *Snapshot) trusted() trustbundle.TrustBundle {
	state, err := s.state()
	if err != nil {
		return trustbundle.TrustBundle{}
	}
	return state.Bundle()
}

func (s *Snapshot) trust(c *Check) {
	object := s.object("ConfigMap", rotation.ConfigMapName)
	state, err := s.state()
	switch {
	case s.Record == nil:
		c.fail(object, s.logs("osm-controller"), "it does not exist: osm-controller has not recorded a root yet")
	case err != nil:
		c.fail(object, s.logs("osm-controller"), "it is malformed, and osm-controller has not written it anew: %s", err)
	case state.Signing().IsEmpty():
		c.fail(object, s.logs("osm-controller"), "no root of it may sign")
	}
	if s.Record == nil || err != nil {
		return
	}
	checked := 0
	for _, ns := range s.monitored() {
		s.copied(ns, state.Bundle(), c)
		checked++
	}
	c.Summary = fmt.Sprintf("%s trusted, the same in %s", count(len(state.Bundle().Roots()), "root"), count(checked, "namespace"))
}

// copied checks what sidecars of a namespace mount.
func (s *Snapshot) copied(namespace string, bundle trustbundle.TrustBundle, c *Check) {
	object := fmt.Sprintf("ConfigMap %s/%s", namespace, rotation.ConfigMapName)
	drop := fmt.Sprintf("kubectl delete configmap -n %s %s", namespace, rotation.ConfigMapName)
	cm := s.Copies[namespace]
	if cm == nil {
		c.fail(object, s.logs("osm-controller"), "it does not exist: pods wait for it; osm-controller publishes it")
		return
	}
	is, err := trustbundle.Parse([]byte(cm.Data[rotation.BundleKey]))
	switch {
	case !manifests.Owned(s.Mesh).Matches(labels.Set(cm.Labels)):
		c.fail(object, drop, "something else made it: its labels are not %s", manifests.Owned(s.Mesh))
	case err != nil:
		c.fail(object, drop, "key %q is malformed: %s", rotation.BundleKey, err)
	case !is.Equal(bundle):
		c.fail(object, drop, "it holds %s, and the mesh trusts others: %s", count(len(is.Roots()), "root"), difference(is, bundle))
	}
}

func difference(is, wanted trustbundle.TrustBundle) string {
	var all []string
	for _, root := range wanted.Roots() {
		if !is.Contains(root) {
			all = append(all, fmt.Sprintf("%s is missing", root.Subject))
		}
	}
	for _, root := range is.Roots() {
		if !wanted.Contains(root) {
			all = append(all, fmt.Sprintf("%s is too many", root.Subject))
		}
	}
	return strings.Join(all, ", ")
}
