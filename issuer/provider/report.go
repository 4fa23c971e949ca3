package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// report writes the status of each object, if this process leads. A status that
// it has written is not written again, whatever has become of it.
func (p *Provider) report(ctx context.Context, roots []*root) error {
	if !p.options.Rotation.Leads() {
		clear(p.written)
		clear(p.refused)
		clear(p.noticed)
		clear(p.ignored)
		return nil
	}
	health := p.options.Manager.Health()
	var failures []error
	for _, r := range roots {
		r.refused = p.refusedBy(r)
		p.tellRefused(ctx, r)
		p.tellNotices(ctx, r)
		p.tellIgnored(ctx, r)
		next := compute(r, p.signer, health)
		if r.is(p.chosen) {
			next.rotation = p.options.Rotation.Status()
		}
		if before, ok := p.written[r.object.UID]; ok && before.equal(next) {
			continue
		}
		err := p.publish(ctx, r.object, next)
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			continue // its change will be seen
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("write the status of MeshRootCertificate %s: %w", r.object.Name, err))
			continue
		}
		p.written[r.object.UID] = next
	}
	p.forget(roots)
	return errors.Join(failures...)
}

func (p *Provider) publish(ctx context.Context, object *v1.MeshRootCertificate, o computed) error {
	next := object.DeepCopy()
	o.write(&next.Status)
	if apiequality.Semantic.DeepEqual(object.Status, next.Status) {
		return nil
	}
	_, err := p.options.Objects.UpdateStatus(ctx, next, metav1.UpdateOptions{})
	return err
}

// write changes the times of those conditions alone that change.
func (o computed) write(status *v1.MeshRootCertificateStatus) {
	status.ObservedGeneration, status.Rotation = o.generation, o.rotation
	o.ready.write(status, v1.ConditionReady)
	o.inUse.write(status, v1.ConditionInUse)
	if o.signing.status == metav1.ConditionTrue || meta.FindStatusCondition(status.Conditions, v1.ConditionSigning) != nil {
		o.signing.write(status, v1.ConditionSigning)
	}
	status.Roots, status.NotAfter = describe(o.roots.Roots()), nil
	for _, root := range status.Roots {
		if status.NotAfter == nil || root.NotAfter.Before(status.NotAfter) {
			status.NotAfter = &root.NotAfter
		}
	}
}

func (v condition) write(status *v1.MeshRootCertificateStatus, kind string) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: kind, Status: v.status, Reason: v.reason, Message: v.message, ObservedGeneration: status.ObservedGeneration,
	})
}

// forget drops the last status of objects that are gone.
func (p *Provider) forget(roots []*root) {
	for _, uid := range slices.Concat(slices.Collect(maps.Keys(p.written)), slices.Collect(maps.Keys(p.refused)), slices.Collect(maps.Keys(p.noticed)), slices.Collect(maps.Keys(p.ignored))) {
		gone := true
		for _, r := range roots {
			gone = gone && r.object.UID != uid
		}
		if gone {
			delete(p.written, uid)
			delete(p.refused, uid)
			delete(p.noticed, uid)
			delete(p.ignored, uid)
		}
	}
}
