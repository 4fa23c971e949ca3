package provider

import (
	"errors"
	"fmt"
	"time"

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
		p.failure.Store(&failure)
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
	if !p.informer.HasSynced() {
		return Use{}, errors.New("the MeshRootCertificates are not read yet")
	}
	item, exists, err := p.informer.GetStore().GetByKey(p.options.Namespace + "/" + name)
	object, ok := item.(*v1.MeshRootCertificate)
	if err != nil || exists && !ok {
		return Use{}, fmt.Errorf("look up MeshRootCertificate %s: %w", name, err)
	}
	var use Use
	if exists {
		use.Until = p.until(object)
	}
	if view == nil {
		return use, nil
	}
	use.Signs = view.signer == name
	for _, other := range view.able {
		if other != name {
			use.Successor = other
			break
		}
	}
	return use, nil
}

// until returns when the last certificate ends that the object's root signed.
func (p *Provider) until(object *v1.MeshRootCertificate) time.Time {
	for _, c := range object.Status.Conditions {
		switch {
		case c.Type != v1.ConditionSigning:
		case c.Status == "True":
			return time.Now().Add(p.options.Overlap())
		default:
			return c.LastTransitionTime.Add(p.options.Overlap())
		}
	}
	return time.Time{}
}
