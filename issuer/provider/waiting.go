package provider

import (
	"fmt"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// waiting is what keeps the mesh from a first root, until something changes.
type waiting struct{ reason string }

func (w *waiting) Error() string { return w.reason }

func (p *Provider) waiting(roots []*root) error {
	for _, r := range roots {
		if r.object.Spec.Role == v1.Active && r.state.problem != nil {
			return &waiting{fmt.Sprintf("MeshRootCertificate %s: %v", r.object.Name, r.state.problem.err)}
		}
	}
	if len(roots) > 0 {
		return &waiting{fmt.Sprintf("no MeshRootCertificate in namespace %s is Active: set the role of one, such as %s, to Active", p.options.Namespace, roots[0].object.Name)}
	}
	return &waiting{fmt.Sprintf("no MeshRootCertificate in namespace %s is Active: osm-bootstrap creates the first", p.options.Namespace)}
}
