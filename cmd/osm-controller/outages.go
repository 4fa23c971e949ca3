package main

import (
	"context"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// outages says in Events when the issuer begins to fail, and when that ends,
// and has it looked at. Each replica says what it finds.
type outages struct {
	health  <-chan issuer.Health
	changed func() // the issuer's health
	events  *events
}

// Run writes Events until ctx ends.
func (o *outages) Run(ctx context.Context) error {
	var before issuer.Health
	for {
		select {
		case <-ctx.Done():
			return nil
		case after := <-o.health:
			o.changed()
			if after.Open == before.Open {
				continue // it changed twice
			}
			o.events.write(ctx, outage(before, after))
			before = after
		}
	}
}

func outage(before, after issuer.Health) happening {
	if !after.Open {
		return happening{
			action: "IssueCertificate", reason: "IssuerWorks", root: before.Root,
			note: fmt.Sprintf("%v; the outage of root %q since %s is over", after, before.Root, before.Since.UTC().Format(time.RFC3339)),
		}
	}
	return happening{
		action: "IssueCertificate", reason: "IssuerFails", warning: true, root: after.Root,
		note: fmt.Sprintf("the issuer of root %q fails since %s; what it certified is served as long as it is valid; the last failure is: %v",
			after.Root, after.Since.UTC().Format(time.RFC3339), after.Err),
	}
}
