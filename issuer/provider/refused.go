package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	// mostRefused bounds how many roots of an authority are told of one by one:
	// anyone who may add one may add more.
	mostRefused = 8
	// mostSubject bounds what is repeated of a subject that anyone may have chosen.
	mostSubject = 128
)

// refusedBy returns the roots that the authority has beside its own and that
// no one trusts. A former root that still retires is none of them.
func (p *Provider) refusedBy(r *root) []*x509.Certificate {
	if !r.used() {
		return nil
	}
	return slices.DeleteFunc(r.state.refused.Roots(), func(c *x509.Certificate) bool { return p.applied.bundle.Contains(c) })
}

// tellRefused tells of each root that is refused, once.
func (p *Provider) tellRefused(ctx context.Context, r *root) {
	told := p.refused[r.object.UID]
	for _, certificate := range r.refused {
		if told.Contains(certificate) || len(told.Roots()) >= mostRefused {
			continue
		}
		told = told.Union(trustbundle.New(certificate))
		note := fmt.Sprintf("root %s is beside those of the issuer and is not trusted: the issuer of its role does not chain to it. "+
			"If no one of yours added it, delete it, and see who may add roots. To have it trusted, make it sign for the role, or put it into the Secret of vault.rootsSecretRef",
			nameRoots([]*x509.Certificate{certificate}))
		p.warn(ctx, r, reasonRootsRefused, note)
	}
	p.refused[r.object.UID] = told
}

// tellNotices tells of each notice, once.
func (p *Provider) tellNotices(ctx context.Context, r *root) {
	if !r.used() {
		return
	}
	told := p.noticed[r.object.UID]
	for _, notice := range r.state.notices {
		if !slices.ContainsFunc(told, func(before problem) bool { return before.text() == notice.text() }) {
			p.warn(ctx, r, notice.reason, notice.err.Error())
		}
	}
	p.noticed[r.object.UID] = r.state.notices
}

func (p *Provider) warn(ctx context.Context, r *root, reason, note string) {
	p.options.Logger.Warn("a MeshRootCertificate needs attention", "name", r.object.Name, "reason", reason, "note", note)
	if p.options.Warn != nil {
		p.options.Warn(ctx, r.object.Name, reason, note)
	}
}

func nameRoots(roots []*x509.Certificate) string {
	var names []string
	for _, root := range roots[:min(len(roots), mostRefused)] {
		names = append(names, fmt.Sprintf("%q (SHA-256 %s)", cut(root.Subject.String(), mostSubject), trustbundle.Fingerprint(root)))
	}
	if more := len(roots) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
