package sds_test

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/sds"
)

func TestAProxyIsRefusedOnceItsServiceAccountIsAnother(t *testing.T) {
	c := newCluster(t)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	a := c.attestor()
	proxy, err := a.Attest(t.Context(), c.token(p))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, want sds.Reason) {
		t.Helper()
		_, attested := a.Attest(t.Context(), c.token(p))
		if got := reason(t, attested); got != want {
			t.Errorf("%s, the token: %q, want %q", what, got, want)
		}
		if got := reason(t, a.Current(t.Context(), proxy)); got != want {
			t.Errorf("%s, the stream: %q, want %q", what, got, want)
		}
	}
	check("as it was", "")
	deleted := c.account("bookstore", "bookstore-v2", accountUID)
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-time.Minute)}
	check("deleted, and held by a finalizer", sds.ReasonServiceAccountGone)

	remove := func() {
		t.Helper()
		if err := c.accounts.Delete(deleted); err != nil {
			t.Fatal(err)
		}
		accounts := schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
		if err := c.client.Tracker().Delete(accounts, "bookstore", "bookstore-v2"); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	check("gone", sds.ReasonServiceAccountGone)
	c.account("bookstore", "bookstore-v2", "another")
	check("made anew", sds.ReasonServiceAccountGone)

	remove()
	live := c.account("bookstore", "bookstore-v2", accountUID)
	if err := c.accounts.Delete(live); err != nil {
		t.Fatal(err)
	}
	check("not yet in the informer", "")
}

func TestAPodLosesItsRightWhenItsGraceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", func(p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(30 * time.Second)}
		}))
		a, token := c.attestor(), c.token(p)
		proxy, err := a.Attest(t.Context(), token)
		if err != nil {
			t.Fatalf("within the grace: %v", err)
		}
		<-time.After(29 * time.Second)
		if err := a.Current(t.Context(), proxy); err != nil {
			t.Errorf("within the grace: %v", err)
		}
		<-time.After(12 * time.Second)
		if got := reason(t, a.Current(t.Context(), proxy)); got != sds.ReasonPodGone {
			t.Errorf("after the grace, the stream: %q", got)
		}
		if _, err := a.Attest(t.Context(), token); reason(t, err) != sds.ReasonPodGone {
			t.Errorf("after the grace, the token: %v", err)
		}
	})
}

// The pod stays in the API server, as one that its node does not end.
func TestAnOpenStreamEndsWhenItsPodHasNoRightAnyMore(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*mesh, *corev1.Pod){
		"its grace is over": func(m *mesh, p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-time.Minute)}
			m.cluster.cache(p)
		},
		"it is gone": func(m *mesh, p *corev1.Pod) { m.cluster.delete(p) },
		"its service account is another": func(m *mesh, p *corev1.Pod) {
			m.cluster.account(p.Namespace, p.Spec.ServiceAccountName, "another")
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			p := m.cluster.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
			stream := ask(t, presenting(t.Context(), m.cluster.token(p)), m.client(), names(ownCert))
			receive(t, stream)
			change(m, p.DeepCopy())
			if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
				t.Errorf("the stream ended with %v", err)
			}
		})
	}
}
