package rotation

import (
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Plan is what every replica does in a State. The zero Plan trusts no root.
type Plan struct {
	// Bundle holds the roots to trust.
	Bundle trustbundle.TrustBundle
	// Signer says which of the candidates signs; -1: none may.
	Signer int
}

// Plan returns what to do in the state. Candidates are the roots of the
// authorities that can sign, the one that should first. The first of them signs
// whose certificates, that end by then, all proxies accept as long as they live.
func (s State) Plan(notAfter time.Time, candidates ...trustbundle.TrustBundle) Plan {
	p := Plan{Bundle: s.bundle, Signer: -1}
	for i, roots := range candidates {
		if s.MaySign(roots, notAfter) {
			p.Signer = i
			break
		}
	}
	return p
}

// Lags reports whether another candidate signs than the one that should.
func (p Plan) Lags() bool { return p.Signer > 0 }
