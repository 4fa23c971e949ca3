package provider

import (
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// view is what others may know of how the mesh signs. It does not change.
type view struct {
	signer   string    // the name of the object
	notAfter time.Time // of the last of its roots
	able     []string  // the objects that are Active and can sign, the newest first
}

// see takes in what came of the objects.
func (p *Provider) see(roots []*root, failure error) {
	if p.signer == nil {
		p.view.Store(nil)
		before := p.failure.Swap(&failure)
		if before == nil || (*before).Error() != failure.Error() {
			p.options.Logger.Warn("no root signs yet", "reason", failure)
		}
		return
	}
	next := &view{signer: p.signer.object.Name}
	for _, certificate := range p.signer.state.roots.Roots() {
		if certificate.NotAfter.After(next.notAfter) {
			next.notAfter = certificate.NotAfter
		}
	}
	for _, r := range roots {
		if r.object.Spec.Role == v1.Active && r.canSign() {
			next.able = append(next.able, r.object.Name)
		}
	}
	p.view.Store(next)
}

// NotAfter returns when the root expires that signs, if one does.
func (p *Provider) NotAfter() (notAfter time.Time, known bool) {
	if view := p.view.Load(); view != nil {
		return view.notAfter, true
	}
	return time.Time{}, false
}

// Use is what the mesh needs the root of a MeshRootCertificate for.
type Use struct {
	// Signs tells that certificates are signed with it.
	Signs bool
	// Successor is another that is Active and can sign; empty if there is none.
	Successor string
	// Until is when the last certificate ends that was signed with it; zero if
	// there is none.
	Until time.Time
}

// Use returns what the MeshRootCertificate of a name is needed for. It fails
// while that is not known.
func (p *Provider) Use(name string) (Use, error) {
	view := p.view.Load()
	if !p.followed.Synced() || view == nil && p.failure.Load() == nil {
		return Use{}, errors.New("the MeshRootCertificates, or what they refer to, are not read yet")
	}
	use := Use{}
	if object, ok := p.followed.Get(p.options.Namespace, name); ok {
		use = p.recorded(object)
	}
	if view == nil {
		return use, nil
	}
	use.Signs = view.signer == name
	if i := slices.IndexFunc(view.able, func(other string) bool { return other != name }); i >= 0 {
		use.Successor = view.able[i]
	}
	return use, nil
}

// recorded returns the use that the status of an object tells of. It is all that
// is known where this process has no root yet, and others may.
func (p *Provider) recorded(object *v1.MeshRootCertificate) Use {
	c := meta.FindStatusCondition(object.Status.Conditions, v1.ConditionSigning)
	switch {
	case c == nil:
		return Use{}
	case c.Status == metav1.ConditionTrue:
		return Use{Signs: true, Until: time.Now().Add(p.options.RetirementPeriod())}
	}
	return Use{Until: c.LastTransitionTime.Add(p.options.RetirementPeriod())}
}
