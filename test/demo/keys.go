package main

import (
	"context"
	"fmt"

	operator "github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

// showKeys looks for the private keys of all roots that are trusted now, the
// replaced one among them, and of those that the webhooks are verified with.
func (n *narrator) showKeys(ctx context.Context) error {
	state, err := n.store.sidecar.Wait(ctx, sidecar.State.Ready)
	if err != nil {
		return err
	}
	bundle, err := n.caBundle(ctx)
	if err != nil {
		return err
	}
	roots := state.Bundle().Union(bundle).Roots()
	found, err := operator.FindKeys(ctx, n.client, roots)
	if err != nil {
		return err
	}
	proof("%d private keys in %d Secrets of all namespaces were compared with %d roots", found.Keys, found.Secrets, len(roots))
	for _, place := range found.Places {
		proof("secret %s, is that of a root", place)
	}
	if n.authority.holdsKey {
		if len(found.Places) != 1 || found.Places[0] != mesh.Namespace+"/"+rootSecret+", private.key" {
			return fmt.Errorf("%d Secrets hold a root's key", len(found.Places))
		}
		return nil
	}
	if len(found.Places) > 0 {
		return fmt.Errorf("%d Secrets hold a root's key", len(found.Places))
	}
	proof("none of them is a root's")
	return nil
}
