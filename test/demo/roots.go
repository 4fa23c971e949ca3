package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/osm-edge/osm/test/sidecar"
)

const (
	rootSecret = "osm-ca-bundle"
	day        = 24 * time.Hour
)

// showRoot prints the root that signs.
func (n *narrator) showRoot(ctx context.Context) (err error) {
	if n.root, err = n.authority.root(ctx); err != nil {
		return err
	}
	return n.showObject(ctx)
}

// rotate has another root sign, and waits for both sidecars to follow.
func (n *narrator) rotate(ctx context.Context) error {
	old := n.root
	if err := n.authority.replace(ctx); err != nil {
		return err
	}
	if err := n.showRoot(ctx); err != nil {
		return err
	}
	for _, p := range n.players() {
		state, err := p.sidecar.Wait(ctx, func(s sidecar.State) bool { return s.Leaf() != nil && leadsTo(s, n.root) == nil })
		if err != nil {
			return fmt.Errorf("%s is not on the new root: %w", p.name(), err)
		}
		if !trusts(state, old, n.root) {
			return fmt.Errorf("%s does not trust both roots", p.name())
		}
		proof("%s has certificate %s of the new root, and trusts the old one still", p.name(), state.Leaf().SerialNumber.Text(16))
	}
	if err := n.showServing(ctx); err != nil {
		return err
	}
	return n.shakeHands(ctx)
}

func (n *narrator) players() []*player { return []*player{n.buyer, n.store} }

// trust waits until both sidecars trust both roots.
func (n *narrator) trust(ctx context.Context, one, other *x509.Certificate) error {
	for _, p := range n.players() {
		if _, err := p.sidecar.Wait(ctx, func(s sidecar.State) bool { return trusts(s, one, other) }); err != nil {
			return fmt.Errorf("%s does not trust both roots: %w", p.name(), err)
		}
		proof("%s trusts both", p.name())
	}
	return nil
}

// trusts reports whether a sidecar has been told of both roots.
func trusts(state sidecar.State, one, other *x509.Certificate) bool {
	return state.Bundle().Contains(one) && state.Bundle().Contains(other)
}
