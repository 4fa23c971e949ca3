package rotation

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Pods come and go for as long as a replica runs, and roots are replaced once in
// years.
func TestAcknowledgementsOfPodsThatAreGoneAreForgottenWhileNothingIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, root := newMesh(), newCA(t)
		r := m.start(t, "a", root)
		r.Want(root.wanted("root"))
		stays, kept := m.addPod("stays"), func() (uids []types.UID) {
			r.acks.mu.Lock()
			defer r.acks.mu.Unlock()
			for uid := range r.acks.digests {
				uids = append(uids, uid)
			}
			return uids
		}
		r.Acknowledged(stays, root.bundle)
		for range 100 {
			r.Acknowledged(m.addPod("goes"), root.bundle)
		}
		<-time.After(5 * time.Second)
		m.mu.Lock()
		m.pods = m.pods[:1]
		m.mu.Unlock()
		r.Acknowledged("not in the informer yet", root.bundle)
		<-time.After(settling)
		if n := len(kept()); n != 102 && n != 2 {
			t.Errorf("%d are kept, and none is to go before its time", n)
		}
		<-time.After(2 * calm)
		if got := kept(); len(got) != 1 || got[0] != stays {
			t.Errorf("%d are kept: %.100v", len(got), got)
		}
	})
}
