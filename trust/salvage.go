package trust

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Salvage returns what can be read of a record that is malformed, as far as it
// can be recorded: roots that sign or stay come before those that have been
// replaced, and of these the ones that stay longest. Where it cannot be read how
// far roots have come, all of them may have signed.
func Salvage(data map[string]string, now time.Time) State {
	var d document
	if json.Unmarshal([]byte(data[rotationKey]), &d) != nil {
		d = document{}
	}
	roots := slices.DeleteFunc(trustbundle.Salvage([]byte(data[BundleKey])), func(root *x509.Certificate) bool {
		until := d.Roots[fingerprint(root)].Until
		return now.After(root.NotAfter) || !until.IsZero() && now.After(until)
	})
	slices.SortStableFunc(roots, func(a, b *x509.Certificate) int {
		x, y := d.Roots[fingerprint(a)].Until, d.Roots[fingerprint(b)].Until
		if x.IsZero() != y.IsZero() {
			return map[bool]int{true: -1, false: 1}[x.IsZero()]
		}
		return cmp.Or(y.Compare(x), b.NotBefore.Compare(a.NotBefore))
	})
	var bundle issuer.TrustBundle
	for _, root := range roots {
		if union := bundle.Union(issuer.NewTrustBundle(root)); len(union.PEM()) <= maxRecordable {
			bundle = union
		}
	}
	if state, err := newState(bundle, d); err == nil && d.Roots != nil {
		return state
	}
	state, err := parseFormer(bundle, "")
	if err != nil {
		return State{}
	}
	return state
}
