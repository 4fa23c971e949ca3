package main

import (
	"slices"

	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// order is how roots are published: who signs, who will, who may, who did.
var order = [...]rotation.Stage{rotation.Signing, rotation.Distributing, rotation.Trusted, rotation.Retiring}

func rootsOf(state rotation.State) []status.Root {
	published := []status.Root{}
	for _, root := range state.Bundle().Roots() {
		published = append(published, status.Root{
			Authority:   state.Source(root),
			Subject:     root.Subject.String(),
			Fingerprint: trustbundle.Fingerprint(root),
			NotBefore:   root.NotBefore.UTC(),
			NotAfter:    root.NotAfter.UTC(),
			Stage:       state.Stage(root),
			Until:       state.Until(root),
		})
	}
	slices.SortStableFunc(published, func(a, b status.Root) int {
		return slices.Index(order[:], a.Stage) - slices.Index(order[:], b.Stage)
	})
	return published
}

// certificatesOf tells of what is held, beside the proxies that use it. One that
// is still to be issued is without a serial number.
func certificatesOf(held []issuer.Holding, state rotation.State, proxies []status.Proxy) []status.Certificate {
	type account struct{ namespace, name string }
	users := map[account]int{}
	for _, p := range proxies {
		users[account{p.Namespace, p.ServiceAccount}]++
	}
	published := make([]status.Certificate, len(held))
	for i, h := range held {
		published[i] = certificateOf(h)
		published[i].Proxies = users[account{h.Identity.Namespace(), h.Identity.ServiceAccount()}]
		if h.Root != nil {
			published[i].Authority = state.Source(h.Root)
		}
	}
	return published
}

func certificateOf(h issuer.Holding) status.Certificate {
	published := status.Certificate{
		SPIFFEID:       h.Identity.String(),
		Namespace:      h.Identity.Namespace(),
		ServiceAccount: h.Identity.ServiceAccount(),
	}
	if h.Certificate == nil {
		return published
	}
	published.NotAfter, published.RenewAt = h.Certificate.NotAfter().UTC(), h.RenewAt.UTC()
	// Its key stays where it is.
	if chain, err := trustbundle.ParseCertificates(h.Certificate.ChainPEM()); err == nil {
		published.Serial, published.NotBefore = chain[0].SerialNumber.Text(16), chain[0].NotBefore.UTC()
	}
	return published
}
