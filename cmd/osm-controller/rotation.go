package main

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/replica"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/sds"
)

// maxMissing is how many pods the status of a MeshRootCertificate names.
const maxMissing = 10

// addRotation has roots trusted throughout the mesh before they sign.
func (c *controller) addRotation(o *options, client kubernetes.Interface, self identity.Identity, registry *prometheus.Registry) {
	c.rotation = rotation.New(rotation.Options{
		Client:           client,
		Namespace:        o.Namespace,
		Replica:          o.replica,
		Labels:           manifests.Labels(o.MeshName, component.Version()),
		Pods:             c.caches.proxies,
		Manager:          c.manager,
		AckTimeout:       o.ackTimeout,
		RetirementPeriod: c.retirementPeriod.Now,
		Changed:          c.rotated,
		Announce:         c.events.announce,
		Metrics:          rotation.NewMetrics(registry),
		Logger:           c.logger,
	})
	c.kept = replica.NewServing(replica.Serving{
		Secrets:   client.CoreV1(),
		Namespace: o.Namespace,
		Labels:    manifests.Labels(o.MeshName, component.Version()),
		Manager:   c.manager,
		Self:      self,
		State:     c.rotation.State,
		ClockSkew: o.clockSkew,
		Logger:    c.logger,
	})
	c.election = &replica.Election{
		Leases:    client.CoordinationV1(),
		Namespace: o.Namespace,
		Replica:   o.replica,
		Labels:    manifests.Labels(o.MeshName, component.Version()),
		Lead:      []func(context.Context){c.rotation.Lead, c.kept.Run},
	}
	c.contact = &replica.Contact{
		Confirm:   c.rotation.Confirm,
		Confirmed: c.manager.Confirm,
		Drain:     func() { c.sds.Drain() },
		Logger:    c.logger,
	}
}

// rotated takes in that the State has changed, or who leads.
func (c *controller) rotated() {
	c.roots.Look()
	c.kept.Look()
	state, known := c.rotation.State()
	if !known {
		return
	}
	if before := c.published.Swap(&state); before != nil && before.Bundle().Equal(state.Bundle()) {
		return
	}
	if err := c.bundles.Set(state.Copy()); err != nil {
		c.logger.Error("cannot publish the trusted roots", "error", err)
	}
}

// staged is the Rotation as the roots see it.
type staged struct {
	*rotation.Rotation
	kept *replica.Serving
}

// Signs implements provider.Rotation.
func (s staged) Signs(roots trustbundle.TrustBundle) {
	if s.Rotation.Signs(roots) {
		s.kept.Look() // what could not be issued before can be now
	}
}

// Status returns what a MeshRootCertificate has to say of the rotation.
func (s staged) Status() *v1.RotationStatus {
	p, known := s.Progress()
	if !known || p.Step == rotation.Idle {
		return nil
	}
	status := &v1.RotationStatus{
		Step:         string(p.Step),
		Since:        metav1.NewTime(p.Since),
		Pods:         int32(p.Pods),
		Acknowledged: int32(p.Pods - len(p.Missing)),
		Missing:      slices.Clone(p.Missing[:min(len(p.Missing), maxMissing)]),
		Certificates: int32(p.Total),
		Replaced:     int32(p.Current),
		HeldBack:     int32(p.HeldBack),
	}
	if !p.Deadline.IsZero() {
		deadline := metav1.NewTime(p.Deadline.Truncate(time.Second))
		status.Deadline = &deadline
	}
	return status
}

// acknowledgements passes on what proxies say of the trusted roots.
type acknowledgements struct{ *rotation.Rotation }

// Acknowledged implements sds.Acknowledgements.
func (a acknowledgements) Acknowledged(p sds.Proxy, bundle trustbundle.TrustBundle) {
	a.Rotation.Acknowledged(p.PodUID, bundle)
}

// signs returns nil if certificates are issued here or, while a root is being
// distributed whose predecessor's key is lost, nowhere: proxies have
// to be served to acknowledge it.
func (c *controller) signs() error {
	err := c.roots.Ready()
	if err == nil {
		return nil
	}
	if state, known := c.rotation.State(); known {
		if step, _ := state.Step(); step == rotation.Distribute && !c.rotation.AnotherSigns() {
			return nil
		}
	}
	return err
}
