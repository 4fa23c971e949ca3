package rotation

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"k8s.io/apimachinery/pkg/types"
)

// acknowledgements is which bundle the proxies have that were connected here.
type acknowledgements struct {
	mu      sync.Mutex
	digests map[types.UID]acknowledged
}

// acknowledged is the bundle that a proxy said last that it has, and when.
type acknowledged struct {
	digest string
	at     time.Time
}

// settling is how long a pod may be unknown to the informer that has just been
// attested by a live read.
const settling = time.Minute

// Acknowledged says that the proxy of a pod verifies its peers with the bundle
// from now on.
func (r *Rotation) Acknowledged(pod types.UID, bundle trustbundle.TrustBundle) {
	if r.acks.take(pod, bundle.Digest()) {
		wake(r.report)
	}
}

// take reports whether that is news.
func (a *acknowledgements) take(pod types.UID, digest string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.digests == nil {
		a.digests = map[types.UID]acknowledged{}
	}
	news := a.digests[pod].digest != digest
	a.digests[pod] = acknowledged{digest, time.Now()}
	return news
}

// prune forgets the pods that are gone.
func (a *acknowledgements) prune(gone func(types.UID) bool, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for pod, has := range a.digests {
		if now.Sub(has.at) >= settling && gone(pod) {
			delete(a.digests, pod)
		}
	}
}

// of returns the pods that have the bundle.
func (a *acknowledgements) of(digest string) podSet {
	a.mu.Lock()
	defer a.mu.Unlock()
	var set podSet
	for pod, has := range a.digests {
		if has.digest == digest {
			set = append(set, keyOf(pod))
		}
	}
	slices.Sort(set)
	return set
}

// podSet is a set of pods, in order, each by 64 bits of the SHA-256 of its UID:
// a report of 50,000 fits into a ConfigMap.
type podSet []uint64

func keyOf(pod types.UID) uint64 {
	sum := sha256.Sum256([]byte(pod))
	return binary.BigEndian.Uint64(sum[:])
}

func (s podSet) has(pod types.UID) bool {
	_, found := slices.BinarySearch(s, keyOf(pod))
	return found
}

func (s podSet) encode() []byte {
	var data []byte
	for _, key := range s {
		data = binary.BigEndian.AppendUint64(data, key)
	}
	return data
}

func parsePodSet(data []byte) podSet {
	var s podSet
	for ; len(data) >= 8; data = data[8:] {
		s = append(s, binary.BigEndian.Uint64(data))
	}
	slices.Sort(s)
	return s
}
