package provider

import (
	"crypto/x509"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// fakeRotation is a Rotation of a mesh whose proxies acknowledge at once, unless
// they are deaf.
type fakeRotation struct {
	changed func()

	mu       sync.Mutex
	state    rotation.State
	wanted   rotation.Wanted
	away     bool // no one records anything
	deaf     bool
	follower bool
	signing  trustbundle.TrustBundle
	status   *v1.RotationStatus
}

func (r *fakeRotation) Want(w rotation.Wanted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = w
	r.next()
}

func (r *fakeRotation) next() {
	before := r.state
	for range 2 { // distributed, and acknowledged
		if !r.away && !r.wanted.Signer.IsEmpty() {
			r.state = r.state.Next(r.wanted, rotation.Situation{
				Now: time.Now(), Acknowledged: !r.deaf, AckTimeout: 1000 * time.Hour, RetirementPeriod: retirementPeriod,
			})
		}
	}
	if !r.state.Equal(before) {
		r.changed()
	}
}

func (r *fakeRotation) State() (rotation.State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, !r.state.Bundle().IsEmpty()
}

func (r *fakeRotation) Signs(roots trustbundle.TrustBundle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signing = roots
}

func (r *fakeRotation) Leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.follower
}

func (r *fakeRotation) Status() *v1.RotationStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// set changes what the rotation is like.
func (r *fakeRotation) set(change func(*fakeRotation)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
	r.next()
	r.changed()
}

// retire lets the time pass in which replaced roots are trusted.
func (r *fakeRotation) retire() {
	time.Sleep(retirementPeriod + resync)
	settle()
	r.set(func(*fakeRotation) {})
	settle()
}

func (r *fakeRotation) mustSay(t *testing.T, signing ...*x509.Certificate) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.signing.Equal(trustbundle.New(signing...)) {
		t.Errorf("it says that it signs with %s", r.signing)
	}
}

func TestTheFormerRootSignsWhileTheNewOneIsDistributed(t *testing.T) {
	triggers := map[string]func(*testing.T, *mesh) *x509.Certificate{
		"its secret is replaced": func(t *testing.T, m *mesh) *x509.Certificate {
			m.deleteSecret(t, "osm-ca-bundle")
			return m.makeRoot(t, "osm-ca-bundle")
		},
		"another object is Active": func(t *testing.T, m *mesh) *x509.Certificate {
			m.create(t, "second", v1.Active, tresorOf("second"))
			return m.makeRoot(t, "second")
		},
		"and the former is deleted": func(t *testing.T, m *mesh) *x509.Certificate {
			m.create(t, "second", v1.Active, tresorOf("second"))
			must(t, m.roots.Delete(t.Context(), "first", metav1.DeleteOptions{}))
			return m.makeRoot(t, "second")
		},
	}
	for name, trigger := range triggers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := startTresor(t)
				first := m.makeRoot(t, "osm-ca-bundle")
				settle()
				m.set(func(r *fakeRotation) { r.deaf = true })
				second := trigger(t, m)
				settle()
				m.mustSign(t, first, first, second)
				m.mustSay(t, first)
				m.set(func(r *fakeRotation) { r.deaf = false })
				settle()
				m.mustSign(t, second, first, second)
				m.mustSay(t, second)
			})
		})
	}
}

func TestWithoutTheFormerKeyNothingSignsWhileTheNewRootIsDistributed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := startTresor(t)
		first := before.makeRoot(t, "osm-ca-bundle")
		settle()
		m := newMesh(t)
		m.set(func(r *fakeRotation) { r.state, r.deaf = before.state, true })
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		second := m.makeRoot(t, "osm-ca-bundle")
		m.run(t)
		settle()
		wantUnready(t, m, "MeshRootCertificate first: its root may not sign")
		m.mustSay(t)
		if !m.manager.Bundle().Equal(trustbundle.New(first, second)) {
			t.Errorf("trusted is %s", m.manager.Bundle())
		}
		if err := m.signedBy(t.Context(), second); err == nil {
			t.Error("it signs")
		}
		m.set(func(r *fakeRotation) { r.deaf = false })
		settle()
		m.mustSign(t, second, first, second)
	})
}

func TestAReplicaThatLagsBehindSignsWithTheFormerForSomeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		other := newMesh(t).makeRoot(t, "osm-ca-bundle")
		m.set(func(r *fakeRotation) { // others have seen another root
			w := rotation.Wanted{Signer: trustbundle.New(other), Trusted: map[string]trustbundle.TrustBundle{"first": trustbundle.New(other)}}
			n := rotation.Situation{Now: time.Now(), Acknowledged: true, RetirementPeriod: retirementPeriod}
			r.state, r.away = r.state.Next(w, n).Next(w, n), true
		})
		settle()
		m.mustSign(t, first, first, other)
		time.Sleep(issuer.ClockSkew + resync)
		settle()
		if err := m.signedBy(t.Context(), first); err == nil {
			t.Error("it signs with a root that others will not trust until its certificates end")
		}
		wantUnready(t, m, "its root may not sign")
	})
}

func TestARevokedRootIsDroppedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.set(func(r *fakeRotation) { r.deaf = true })
		second := m.makeRoot(t, "second")
		m.create(t, "second", v1.Active, tresorOf("second"))
		settle()
		m.mustSign(t, first, first, second)
		m.change(t, "first", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Revoked })
		settle()
		m.mustSign(t, second, second)
		m.wantStatus(t, "first", "Unknown Revoked", "False Revoked")
	})
}

func TestTheOnlyRootIsNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.change(t, "first", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Revoked })
		settle()
		m.mustSign(t, first, first)
	})
}

func TestWhoDoesNotLeadSaysNothingInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		m.set(func(r *fakeRotation) { r.follower = true })
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		root := m.makeRoot(t, "osm-ca-bundle")
		m.run(t)
		settle()
		m.mustSign(t, root, root)
		if n := m.roots.writes(); n != 0 {
			t.Errorf("%d writes", n)
		}
		m.set(func(r *fakeRotation) { r.follower = false })
		settle()
		m.wantStatus(t, "first", "True Reached", "True Signing")
	})
}

func TestTheStatusTellsHowFarTheRotationIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		m.makeRoot(t, "osm-ca-bundle")
		settle()
		want := &v1.RotationStatus{Step: "distribute", Since: metav1.Now(), Pods: 3, Acknowledged: 2, Missing: []string{"shop/web-1"}}
		m.set(func(r *fakeRotation) { r.status = want })
		settle()
		if got := m.object(t, "first").Status.Rotation; got == nil || got.Step != want.Step || got.Acknowledged != 2 || !slices.Equal(got.Missing, want.Missing) {
			t.Errorf("it says %+v", got)
		}
		m.set(func(r *fakeRotation) { r.status = nil })
		settle()
		if got := m.object(t, "first").Status.Rotation; got != nil {
			t.Errorf("it says %+v still", got)
		}
	})
}

func TestARootThatIsRefusedWhileOneIsDistributedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.set(func(r *fakeRotation) { r.deaf = true })
		m.deleteSecret(t, "osm-ca-bundle")
		second := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Data[rootsecret.PrivateKeyKey] = []byte("garbage") })
		settle()
		m.mustSign(t, first, first, second)
		m.set(func(r *fakeRotation) { r.deaf = false })
		settle()
		m.mustSign(t, second, first, second)
	})
}
