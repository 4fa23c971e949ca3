package rotation

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// rank is until when a root is needed: one that signs or stays longer than any
// that has been replaced, and one of which nothing is recorded not at all.
func (d document) rank(root *x509.Certificate) time.Time {
	id := trustbundle.Fingerprint(root)
	g, known := d.Roots[id]
	switch {
	case slices.Contains(d.Signing, id):
		return root.NotAfter.AddDate(2000, 0, 0)
	case known && g.Until.IsZero():
		return root.NotAfter.AddDate(1000, 0, 0)
	}
	return g.Until
}

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
		until := d.Roots[trustbundle.Fingerprint(root)].Until
		return now.After(root.NotAfter) || !until.IsZero() && now.After(until)
	})
	slices.SortStableFunc(roots, func(a, b *x509.Certificate) int {
		return cmp.Or(d.rank(b).Compare(d.rank(a)), b.NotBefore.Compare(a.NotBefore))
	})
	size := 0
	bundle := trustbundle.New(slices.DeleteFunc(roots, func(root *x509.Certificate) bool {
		more := len(trustbundle.New(root).PEM())
		if size+more > maxRecordable {
			return true
		}
		size += more
		return false
	})...)
	if state, err := newState(bundle, d); err == nil && d.Roots != nil {
		return state
	}
	state, err := parseFormer(bundle, "")
	if err != nil {
		return State{}
	}
	return state
}
