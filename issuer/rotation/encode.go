package rotation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	// rotationKey is the key, in the mesh namespace alone, of how far each root
	// has come: JSON, RFC 3339 times by the SHA-256 of the certificate.
	rotationKey = "rotation.json"
	// retiringKey is what earlier releases wrote instead: when roots that have
	// been replaced are dropped.
	retiringKey = "retiring.json"
)

// document is what is recorded beside the certificates.
type document struct {
	Step    Step             `json:"step,omitempty"`
	Since   time.Time        `json:"since,omitzero"`
	Signing []string         `json:"signing"`
	Roots   map[string]stage `json:"roots"`
}

// Parse reads the data of the mesh namespace's ConfigMap. Without a bundle it
// is the zero State.
func Parse(data map[string]string) (State, error) {
	if data[BundleKey] == "" {
		return State{}, nil
	}
	bundle, err := trustbundle.Parse([]byte(data[BundleKey]))
	if err != nil {
		return State{}, fmt.Errorf("key %q: %w", BundleKey, err)
	}
	if data[rotationKey] == "" {
		return parseFormer(bundle, data[retiringKey])
	}
	var d document
	if err := json.Unmarshal([]byte(data[rotationKey]), &d); err != nil {
		return State{}, fmt.Errorf("key %q: %w", rotationKey, err)
	}
	return newState(bundle, d)
}

// newState refuses a step that there is not, and leaves out what is said of
// roots that are not trusted. A root of which nothing is said is distributed.
func newState(bundle trustbundle.TrustBundle, d document) (State, error) {
	if !slices.Contains([]Step{Idle, Distribute, Sign, Retire}, d.Step) {
		return State{}, fmt.Errorf("key %q: there is no step %q", rotationKey, d.Step)
	}
	s := State{bundle: bundle, step: d.Step, since: d.Since, stages: map[string]stage{}, signing: slices.Clone(d.Signing)}
	for _, id := range fingerprints(bundle) {
		s.stages[id] = d.Roots[id]
	}
	s.keep(bundle)
	return s, nil
}

// parseFormer reads what earlier releases recorded. They signed with whatever
// they trusted.
func parseFormer(bundle trustbundle.TrustBundle, retiring string) (State, error) {
	until := map[string]time.Time{}
	if retiring != "" {
		if err := json.Unmarshal([]byte(retiring), &until); err != nil {
			return State{}, fmt.Errorf("key %q: %w", retiringKey, err)
		}
	}
	d := document{Roots: map[string]stage{}}
	for _, root := range bundle.Roots() {
		id := trustbundle.Fingerprint(root)
		d.Roots[id] = stage{Distributed: root.NotBefore, Cleared: root.NotBefore, Until: until[id]}
		if until[id].IsZero() {
			d.Signing = append(d.Signing, id)
		}
	}
	return newState(bundle, d)
}

// Copy returns the data of the ConfigMap in monitored namespaces, where sidecars
// mount it.
func (s State) Copy() map[string]string {
	return map[string]string{BundleKey: string(s.bundle.PEM())}
}

// encode returns the data of the mesh namespace's ConfigMap.
func (s State) encode() (map[string]string, error) {
	text, err := json.Marshal(document{s.step, s.since, s.signing, maps.Clone(s.stages)})
	if err != nil {
		return nil, err
	}
	data := s.Copy()
	data[rotationKey] = string(text)
	return data, nil
}
