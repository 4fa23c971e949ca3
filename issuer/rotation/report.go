package rotation

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// reportLabel marks the ConfigMaps of replicas.
	reportLabel = "openservicemesh.io/acknowledgements"
	// reportPrefix begins their names, and the replica's ends them.
	reportPrefix = "osm-acknowledged-"

	reportKey = "report.json"
	podsKey   = "pods"
)

// report is what a replica tells the others.
type report struct {
	// Bundle is the digest of the bundle that it sends to proxies; empty when it
	// is gone.
	Bundle string `json:"bundle"`
	// Signing is the digest of the roots that it signs with; empty if it cannot.
	Signing string `json:"signing,omitempty"`
	// Current is how many identities have a certificate of these roots, of the
	// Total that proxies use.
	Current int `json:"current"`
	Total   int `json:"total"`
	// HeldBack is how many have such a certificate that is not served yet.
	HeldBack int `json:"heldBack,omitempty"`
	// Heartbeat is when it was written. No replica compares it with its own clock.
	Heartbeat time.Time `json:"beat"`

	pods podSet // that have acknowledged the bundle; told while it is distributed
}

// sighting is when a report was seen, by the clock of who saw it.
type sighting struct {
	report
	at time.Time
}

// says reports whether two reports say the same, whenever they do.
func (r report) says(other report) bool {
	return r.Bundle == other.Bundle && r.Signing == other.Signing && r.Current == other.Current && r.Total == other.Total && r.HeldBack == other.HeldBack &&
		slices.Equal(r.pods, other.pods)
}

func (r report) fill(cm *corev1.ConfigMap) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	cm.Data = map[string]string{reportKey: string(text)}
	cm.BinaryData = map[string][]byte{podsKey: r.pods.encode()}
	return nil
}

func parseReport(cm *corev1.ConfigMap) (report, error) {
	var r report
	if err := json.Unmarshal([]byte(cm.Data[reportKey]), &r); err != nil {
		return report{}, fmt.Errorf("key %q: %w", reportKey, err)
	}
	r.pods = parsePodSet(cm.BinaryData[podsKey])
	return r, nil
}
