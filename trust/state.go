// Package trust owns what the osm-trust-bundle ConfigMaps say: which roots the
// mesh trusts and, in its own namespace, until when. They hold public
// certificates only. Which root signs is not its business, and neither is how
// copies get into the monitored namespaces.
package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
)

const (
	// ConfigMapName is the name of the ConfigMap, in every namespace.
	ConfigMapName = "osm-trust-bundle"
	// BundleKey is the key of the roots, PEM.
	BundleKey = "ca.crt"
	// retiringKey is the key, in the mesh namespace alone, of when roots that
	// have been replaced are dropped: JSON, RFC 3339 times by the SHA-256 of
	// the certificate.
	retiringKey = "retiring.json"
)

// State is which roots are trusted, and until when. The zero State trusts none.
type State struct {
	bundle   issuer.TrustBundle
	retiring map[string]time.Time // by fingerprint; a root that is not in it stays
}

// Bundle returns the trusted roots.
func (s State) Bundle() issuer.TrustBundle { return s.bundle }

// Current returns the roots that are trusted for good: not those that have been
// replaced.
func (s State) Current() issuer.TrustBundle {
	var current []*x509.Certificate
	for _, root := range s.bundle.Roots() {
		if _, retiring := s.retiring[fingerprint(root)]; !retiring {
			current = append(current, root)
		}
	}
	return issuer.NewTrustBundle(current...)
}

// Next returns the state in which the given roots are current. A root that was
// current before is trusted for overlap longer, the time in which a certificate
// of it can live; one whose time is over, or that has expired, is dropped.
func (s State) Next(current issuer.TrustBundle, now time.Time, overlap time.Duration) State {
	next := State{retiring: map[string]time.Time{}}
	isCurrent := map[string]bool{}
	for _, root := range current.Roots() {
		isCurrent[fingerprint(root)] = true
	}
	roots := current.Roots()
	for _, root := range s.bundle.Roots() {
		id := fingerprint(root)
		if isCurrent[id] {
			continue
		}
		end, retiring := s.retiring[id]
		if !retiring {
			// As it is recorded: in whole seconds, and never early.
			end = now.Add(overlap + time.Second).UTC().Truncate(time.Second)
		}
		if now.Before(end) && now.Before(root.NotAfter) {
			roots = append(roots, root)
			next.retiring[id] = end
		}
	}
	next.bundle = issuer.NewTrustBundle(roots...)
	return next
}

func fingerprint(root *x509.Certificate) string {
	sum := sha256.Sum256(root.Raw)
	return hex.EncodeToString(sum[:])
}

// parseState reads the data of the mesh namespace's ConfigMap.
func parseState(data map[string]string) (State, error) {
	if data[BundleKey] == "" {
		return State{}, nil
	}
	bundle, err := issuer.ParseTrustBundle([]byte(data[BundleKey]))
	if err != nil {
		return State{}, fmt.Errorf("key %q: %w", BundleKey, err)
	}
	s := State{bundle: bundle}
	if data[retiringKey] == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(data[retiringKey]), &s.retiring); err != nil {
		return State{}, fmt.Errorf("key %q: %w", retiringKey, err)
	}
	return s, nil
}

// Copy returns the data of the ConfigMap in monitored namespaces, where sidecars
// mount it.
func (s State) Copy() map[string]string {
	return map[string]string{BundleKey: string(s.bundle.PEM())}
}

// encode returns the data of the mesh namespace's ConfigMap.
func (s State) encode() (map[string]string, error) {
	data := s.Copy()
	if len(s.retiring) == 0 {
		return data, nil
	}
	retiring, err := json.Marshal(s.retiring)
	if err != nil {
		return nil, err
	}
	data[retiringKey] = string(retiring)
	return data, nil
}
