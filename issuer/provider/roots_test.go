package provider

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func TestANewerRootThatIsActiveTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first, second := m.makeRoot(t, "osm-ca-bundle"), m.makeRoot(t, "second")
		m.create(t, "second", v1.Passive, tresorOf("second"))
		settle()
		m.mustSign(t, first, first, second)
		m.wantStatus(t, "second", "True Reached", "True Trusted")

		m.change(t, "second", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Active })
		settle()
		m.mustSign(t, second, first, second)
		m.wantStatus(t, "first", "True Reached", "True Superseded")
		m.wantStatus(t, "second", "True Reached", "True Signing")

		m.change(t, "first", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Inactive })
		m.retire()
		m.mustSign(t, second, second)
		m.wantStatus(t, "first", "Unknown Inactive", "False Inactive")
		if status := m.object(t, "first").Status; len(status.Roots) > 0 || status.NotAfter != nil {
			t.Errorf("of an Inactive root it says %+v", status)
		}
	})
}

func TestARootThatIsNotReadyLeavesTheFormer(t *testing.T) {
	gone := map[string]func(*testing.T, *mesh){
		"that is Active": func(*testing.T, *mesh) {},
		"that was demoted": func(t *testing.T, m *mesh) {
			m.change(t, "first", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Passive })
		},
		"that was turned off": func(t *testing.T, m *mesh) {
			m.change(t, "first", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Inactive })
		},
		"whose object was deleted": func(t *testing.T, m *mesh) {
			must(t, m.roots.Delete(t.Context(), "first", metav1.DeleteOptions{}))
		},
	}
	for name, lose := range gone {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := startTresor(t)
				first := m.makeRoot(t, "osm-ca-bundle")
				m.create(t, "second", v1.Active, tresorOf("second"))
				settle()
				lose(t, m)
				settle()
				m.mustSign(t, first, first)
				m.wantStatus(t, "second", "False SecretMissing", "False RootsUnknown")

				second := m.makeRoot(t, "second")
				settle()
				m.mustSign(t, second, first, second)
				m.wantStatus(t, "second", "True Reached", "True Signing")
			})
		})
	}
}

func TestASpecThatChangesToWhatIsNotReadyLeavesWhatItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		older := m.makeRoot(t, "osm-ca-bundle")
		newer := m.makeRoot(t, "newer")
		m.create(t, "newer", v1.Active, tresorOf("newer"))
		settle()
		m.change(t, "newer", func(s *v1.MeshRootCertificateSpec) { s.Provider = tresorOf("nowhere") })
		settle()
		m.mustSign(t, newer, older, newer)
		m.wantStatus(t, "newer", "False SecretMissing", "True Signing")

		m.change(t, "newer", func(s *v1.MeshRootCertificateSpec) { s.Provider = tresorOf("newer") })
		settle()
		m.mustSign(t, newer, older, newer)
		m.wantStatus(t, "newer", "True Reached", "True Signing")
	})
}

func TestWhereTheNewestIsNotReadyAtTheStartAnOlderOneSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		m.create(t, "second", v1.Active, tresorOf("second"))
		m.run(t)
		settle()
		m.mustSign(t, first, first)
		m.wantStatus(t, "first", "True Reached", "True Signing")
	})
}

func TestARootOfAnotherTrustDomainIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		m.makeRoot(t, "second")
		m.createFrom(t, "second", v1.MeshRootCertificateSpec{TrustDomain: "other.example", Role: v1.Active, Provider: tresorOf("second")})
		settle()
		m.mustSign(t, first, first)
		m.wantStatus(t, "second", "False Refused", "False RootsUnknown")
		ready := meta.FindStatusCondition(m.object(t, "second").Status.Conditions, v1.ConditionReady)
		if want := `its trust domain is "other.example", and that of the mesh is "cluster.local"; to fix it, make another MeshRootCertificate, with spec.trustDomain cluster.local`; ready.Message != want {
			t.Errorf("it says %q", ready.Message)
		}
	})
}

// What is written meanwhile is neither undone by the status nor lost.
func TestAChangeWhileTheStatusIsWrittenCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.makeRoot(t, "second")
		change := func() {
			m.change(t, "second", func(s *v1.MeshRootCertificateSpec) { s.Role, s.TrustDomain = v1.Active, "other.example" })
		}
		m.roots.beforeStatus.Store(&change)
		m.create(t, "second", v1.Passive, tresorOf("second"))
		settle()
		if m.roots.beforeStatus.Load() != nil {
			t.Fatal("no status was written")
		}
		must(t, m.signedBy(t.Context(), first))
		m.wantStatus(t, "second", "False Refused", "False RootsUnknown")
	})
}

func TestTheStatusDescribesTheRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		status := m.object(t, "first").Status
		if len(status.Roots) != 1 || status.Roots[0].Subject != root.Subject.String() || len(status.Roots[0].Fingerprint) != 64 {
			t.Errorf("roots %+v", status.Roots)
		}
		if status.NotAfter == nil || !status.NotAfter.Time.Equal(root.NotAfter) || status.ObservedGeneration != 1 {
			t.Errorf("status %+v", status)
		}
	})
}

func TestAStatusIsWrittenWhenItDiffersAndNotAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		m.makeRoot(t, "osm-ca-bundle")
		settle()
		before, writes := m.object(t, "first").Status, m.roots.writes()
		time.Sleep(3 * resync)
		m.Look()
		settle()
		if n := m.roots.writes() - writes; n != 0 {
			t.Errorf("%d more writes", n)
		}

		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { delete(s.Data, rootsecret.PrivateKeyKey) })
		settle()
		after := m.object(t, "first").Status
		if !transition(after, v1.ConditionReady).After(transition(before, v1.ConditionReady)) {
			t.Error("Ready has changed, and its time has not")
		}
		if !transition(after, v1.ConditionInUse).Equal(transition(before, v1.ConditionInUse)) {
			t.Error("InUse has not changed, and its time has")
		}
		if n := m.roots.writes() - writes; n != 1 {
			t.Errorf("%d more writes", n)
		}
	})
}

func TestAnotherReplicasStatusIsLeftUntilTheNextLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		m.makeRoot(t, "osm-ca-bundle")
		settle()
		object := m.object(t, "first")
		meta.SetStatusCondition(&object.Status.Conditions, metav1.Condition{Type: v1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Failing"})
		_, err := m.roots.UpdateStatus(t.Context(), object, metav1.UpdateOptions{})
		must(t, err)
		settle()
		m.wantStatus(t, "first", "False Failing", "True Signing")
		time.Sleep(resync)
		settle()
		m.wantStatus(t, "first", "True Reached", "True Signing")
	})
}

func transition(status v1.MeshRootCertificateStatus, condition string) time.Time {
	return meta.FindStatusCondition(status.Conditions, condition).LastTransitionTime.Time
}

func TestItTellsWhatARootIsNeededFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		if _, known := m.NotAfter(); known {
			t.Error("the end of no root is known")
		}
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		if notAfter, known := m.NotAfter(); !known || !notAfter.Equal(root.NotAfter) {
			t.Errorf("the root ends at %s", notAfter)
		}
		m.create(t, "second", v1.Active, tresorOf("second"))
		settle()
		m.wantUse(t, "first", Use{Signs: true, Until: time.Now().Add(retirementPeriod)})
		m.wantUse(t, "second", Use{Successor: "first"})
		m.wantUse(t, "third", Use{Successor: "first"})

		m.makeRoot(t, "second")
		settle()
		replaced := transition(m.object(t, "first").Status, v1.ConditionSigning)
		time.Sleep(time.Hour)
		m.wantUse(t, "first", Use{Successor: "second", Until: replaced.Add(retirementPeriod)})
		m.wantUse(t, "second", Use{Signs: true, Successor: "first", Until: time.Now().Add(retirementPeriod)})
	})
}

func (m *mesh) wantUse(t *testing.T, name string, want Use) {
	t.Helper()
	got, err := m.Use(name)
	if err != nil || got.Signs != want.Signs || got.Successor != want.Successor || !got.Until.Equal(want.Until) {
		t.Errorf("%s is used as %+v, want %+v (error %v)", name, got, want, err)
	}
}

func TestWhatARootIsNeededForIsNotGuessed(t *testing.T) {
	m := newMesh(t)
	if _, err := m.Use("first"); err == nil || !strings.Contains(err.Error(), "not read yet") {
		t.Errorf("error %v", err)
	}
}
