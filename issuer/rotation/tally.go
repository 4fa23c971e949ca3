package rotation

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// staleness is how long a replica that is waited for says nothing before it is
// taken for dead.
const staleness = 3 * heartbeat

// tally is what the reports come to, beside the pods that there are.
type tally struct {
	pods      int      // that have to acknowledge
	missing   []string // of them, those that have not
	lagging   []string // replicas that do not send the bundle yet
	current   int      // identities with a certificate of the roots that sign
	total     int
	heldBack  int  // of those that are not current, the next one is issued
	otherwise bool // a replica signs with other roots
	unsigned  bool // a replica cannot sign
	alive     int  // replicas
}

func (t tally) acknowledged() bool { return len(t.missing) == 0 && len(t.lagging) == 0 && t.alive > 0 }

func (t tally) reissued() bool { return !t.otherwise && t.current == t.total && t.alive > 0 }

// count goes through the reports. Replicas that have been silent since a time do
// not count, but for what proxies have told them.
func count(state State, pods []*corev1.Pod, reports map[string]sighting, since, now time.Time) tally {
	var t tally
	bundle, signing := state.Bundle().Digest(), state.Signing().Digest()
	var acked podSet
	for name, r := range reports {
		if r.Bundle == bundle {
			acked = append(acked, r.pods...)
		}
		if now.Sub(latest(r.at, since)) > staleness {
			continue
		}
		t.alive++
		t.current, t.total, t.heldBack = t.current+r.Current, t.total+r.Total, t.heldBack+r.HeldBack
		t.otherwise = t.otherwise || r.Signing != signing
		t.unsigned = t.unsigned || r.Signing == ""
		if r.Bundle != bundle {
			t.lagging = append(t.lagging, strings.TrimPrefix(name, reportPrefix))
		}
	}
	slices.Sort(acked)
	slices.Sort(t.lagging)
	for _, pod := range pods {
		if !takesPart(pod, now) {
			continue
		}
		t.pods++
		if !acked.has(pod.UID) {
			t.missing = append(t.missing, pod.Namespace+"/"+pod.Name)
		}
	}
	slices.Sort(t.missing)
	return t
}

// takesPart reports whether the sidecar of a pod may have connections: it runs,
// and is not overdue to be gone.
func takesPart(pod *corev1.Pod, now time.Time) bool {
	return pod.Status.Phase == corev1.PodRunning && (pod.DeletionTimestamp == nil || now.Before(pod.DeletionTimestamp.Time))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sightings returns the reports that are known.
func (r *Rotation) sightings() map[string]sighting {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]sighting, len(r.others))
	for name, s := range r.others {
		all[name] = s
	}
	return all
}

// AnotherSigns reports whether another replica can issue certificates, as far as
// is known here.
func (r *Rotation) AnotherSigns() bool {
	now := time.Now()
	for name, s := range r.sightings() {
		if name != r.reportName() && s.Signing != "" && now.Sub(s.at) <= staleness {
			return true
		}
	}
	return false
}
