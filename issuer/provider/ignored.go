package provider

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
)

// ignoredIn describes what is passed over in the Secret of a root.
func ignoredIn(secret *corev1.Secret) string {
	if ignored := rootsecret.Ignored(secret); ignored != "" {
		return fmt.Sprintf("secret %s/%s, %s", secret.Namespace, secret.Name, ignored)
	}
	return ""
}

// tellIgnored tells once of what is passed over in what an operator has given.
func (p *Provider) tellIgnored(ctx context.Context, r *root) {
	if r.state == nil || p.ignored[r.object.UID] == r.state.ignored {
		return
	}
	p.ignored[r.object.UID] = r.state.ignored
	if r.state.ignored == "" {
		return
	}
	note := "used without what is ignored: " + r.state.ignored
	p.options.Logger.Info("text beside PEM is ignored", "name", r.object.Name, "note", note)
	if p.options.Ignored != nil {
		p.options.Ignored(ctx, r.object.Name, note)
	}
}
