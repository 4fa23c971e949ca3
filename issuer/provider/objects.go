package provider

import (
	"slices"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/follow"
)

// followObjects watches the objects, and calls changed after each change.
func followObjects(o Options, changed func()) *follow.Follower[*v1.MeshRootCertificate] {
	objects := follow.New[*v1.MeshRootCertificate](o.Objects, follow.Options{Logger: o.Logger})
	look := func(*v1.MeshRootCertificate) { changed() }
	objects.On(look, look)
	return objects
}

// objects returns those there are, the newest first.
func (p *Provider) objects() []*v1.MeshRootCertificate {
	all := p.followed.List()
	slices.SortFunc(all, v1.ByAge)
	return all
}
