package rotation

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/trust"
)

func TestARootIsReplacedWhenEveryPodHasAcknowledgedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one, two := m.start(t, "one", first), m.start(t, "two", first)
		settle()
		m.mustBe(t, trust.Settled, first)

		web, api := m.addPod("web"), m.addPod("api")
		one.want(first, second)
		two.want(first, second)
		settle()
		m.mustBe(t, trust.Distribute, first)
		one.acknowledge(web)
		settle()
		m.mustBe(t, trust.Distribute, first)
		leader := one
		if two.Leads() {
			leader = two
		}
		if p, known := leader.Progress(); !known || p.Pods != 2 || !slices.Equal(p.Missing, []string{"shop/api"}) || p.Deadline.IsZero() {
			t.Errorf("progress %+v", p)
		}
		two.acknowledge(api)
		settle()
		m.mustBe(t, trust.Retire, second)
		time.Sleep(overlap + time.Minute)
		synctest.Wait()
		m.mustBe(t, trust.Settled, second)
		if want := []string{"RootDistributed", "RootSigns", "RootDropped"}; !slices.Equal(m.announced, want) {
			t.Errorf("announced are %q, want %q", m.announced, want)
		}
	})
}

func TestAPodThatDoesNotAcknowledgeIsWaitedForUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		m.addPod("web")
		one.want(first, second)
		time.Sleep(patience - 5*time.Second)
		synctest.Wait()
		m.mustBe(t, trust.Distribute, first)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		m.mustBe(t, trust.Retire, second)
	})
}

func TestAPodThatIsGoneIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		m.addPod("web")
		one.want(first, second)
		settle()
		m.mu.Lock()
		m.pods = nil
		m.mu.Unlock()
		settle()
		m.mustBe(t, trust.Retire, second)
	})
}

func TestAReplicaThatSendsTheFormerBundleIsWaitedForWhileItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		two := m.start(t, "two", first)
		settle()
		two.setDeaf(true)
		one.want(first, second)
		settle()
		m.mustBe(t, trust.Distribute, first)
		time.Sleep(silence + 5*time.Second)
		synctest.Wait()
		m.mustBe(t, trust.Distribute, first) // it lives
		two.kill()
		settle()
		m.mustBe(t, trust.Retire, second)
	})
}

func TestWhateverIsKilledTheReplacementGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		web := m.addPod("web")
		one.want(first, second)
		settle()
		one.kill()
		m.mustBe(t, trust.Distribute, first)

		two := m.start(t, "two", second) // the key of the first is lost
		time.Sleep(leaseDuration)
		settle()
		m.mustBe(t, trust.Distribute, first)
		if !two.manager.Bundle().Equal(m.record(t).Bundle()) {
			t.Error("it does not distribute what is recorded")
		}
		two.acknowledge(web)
		settle()
		m.mustBe(t, trust.Retire, second)
		two.kill()

		m.start(t, "three", second)
		time.Sleep(overlap + time.Minute)
		synctest.Wait()
		m.mustBe(t, trust.Settled, second)
	})
}

// TestARecordThatIsEmptiedIsRepaired tries what is parsed without an error.
func TestARecordThatIsEmptiedIsRepaired(t *testing.T) {
	for name, empty := range map[string]func(*corev1.ConfigMap){
		"without data":      func(cm *corev1.ConfigMap) { cm.Data = nil },
		"with an empty key": func(cm *corev1.ConfigMap) { cm.Data[trust.BundleKey] = "" },
		"without its roots": func(cm *corev1.ConfigMap) { delete(cm.Data, trust.BundleKey) },
		"with DER in their key": func(cm *corev1.ConfigMap) {
			cm.Data, cm.BinaryData = nil, map[string][]byte{trust.BundleKey: {0x30, 0x82}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, first, second := newMesh(), newCA(t), newCA(t)
				one := m.start(t, "one", first)
				settle()
				m.addPod("web")
				one.want(first, second)
				settle()
				before := m.record(t)
				client := m.client.CoreV1().ConfigMaps(namespace)
				cm, err := client.Get(t.Context(), trust.ConfigMapName, metav1.GetOptions{})
				must(t, err)
				empty(cm)
				_, err = client.Update(t.Context(), cm, metav1.UpdateOptions{})
				must(t, err)
				settle()
				if after := m.record(t); !after.Equal(before) {
					t.Errorf("it was %v and is %v", before.Bundle(), after.Bundle())
				}
				cm, err = client.Get(t.Context(), trust.ConfigMapName, metav1.GetOptions{})
				must(t, err)
				if len(cm.BinaryData) > 0 {
					t.Error("a key is there twice, which the API server refuses")
				}
			})
		})
	}
}

func TestARecordThatIsDeletedIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		m.addPod("web")
		one.want(first, second)
		settle()
		before := m.record(t)
		must(t, m.client.CoreV1().ConfigMaps(namespace).Delete(t.Context(), trust.ConfigMapName, metav1.DeleteOptions{}))
		settle()
		if after := m.record(t); !after.Equal(before) {
			t.Errorf("it was %v and is %v", before.Bundle(), after.Bundle())
		}
	})
}

func TestAMalformedRecordIsRepaired(t *testing.T) {
	for name, restarted := range map[string]bool{"a replica knows it": false, "no replica is left that does": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, first, second := newMesh(), newCA(t), newCA(t)
				one := m.start(t, "one", first)
				settle()
				web := m.addPod("web")
				one.want(first, second)
				settle()
				one.acknowledge(web)
				settle()
				before := m.record(t)
				if restarted {
					one.kill()
				}
				client := m.client.CoreV1().ConfigMaps(namespace)
				cm, err := client.Get(t.Context(), trust.ConfigMapName, metav1.GetOptions{})
				must(t, err)
				cm.Data[trust.BundleKey] += "-----END"
				_, err = client.Update(t.Context(), cm, metav1.UpdateOptions{})
				must(t, err)
				if restarted {
					m.start(t, "two", first, second)
				}
				settle()
				if after := m.record(t); !after.Equal(before) {
					t.Errorf("it was %v and is %v", before.Bundle(), after.Bundle())
				}
			})
		})
	}
}

func TestARootThatWaitsIsAnnouncedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, root := newMesh(), newCA(t)
		one := m.start(t, "one", root)
		settle()
		for range trust.MaxRoots + 3 {
			one.want(root, newCA(t))
			settle()
		}
		if n := len(m.record(t).Bundle().Roots()); n != trust.MaxRoots {
			t.Errorf("%d roots are trusted", n)
		}
		waits := 0
		for _, reason := range m.announced {
			if reason == "RootWaits" {
				waits++
			}
		}
		if waits == 0 || waits > 4 {
			t.Errorf("announced are %q", m.announced)
		}
	})
}

// TestARootDoesNotWaitForRoomWhileAReplicaCannotSign starts replicas anew in a mesh
// that has no room: the key of the root that signed is gone with its Secret.
func TestARootDoesNotWaitForRoomWhileAReplicaCannotSign(t *testing.T) {
	for name, stays := range map[string]bool{"one is left that can": true, "none is left that can": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, last, waits := newMesh(), newCA(t), newCA(t)
				m.fill(t, last)
				one := m.start(t, "one", last, waits)
				settle()
				m.mustBe(t, trust.Retire, last)
				if !stays {
					one.kill()
				}
				two := m.start(t, "two", waits)
				time.Sleep(2 * time.Minute) // another leads
				if signing := two.signing.Load(); !signing.Equal(waits.bundle) {
					t.Errorf("the replica signs with %v", signing)
				}
			})
		})
	}
}

func TestOneReplicaLeadsAndAnotherFollowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, root := newMesh(), newCA(t)
		one := m.start(t, "one", root)
		settle()
		two := m.start(t, "two", root)
		settle()
		if !one.Leads() || two.Leads() {
			t.Fatalf("one leads: %t, two leads: %t", one.Leads(), two.Leads())
		}
		one.kill() // which gives the Lease back
		settle()
		if !two.Leads() {
			t.Error("nobody leads")
		}
	})
}

func TestTheServingCertificateFollowsWhenMountedBundlesHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one := m.start(t, "one", first)
		settle()
		before := serving(t, m)
		must(t, before.CheckSignatureFrom(first.Root()))
		one.want(first, second)
		settle()
		m.mustBe(t, trust.Retire, second)
		time.Sleep(mountDelay - time.Minute)
		synctest.Wait()
		if !serving(t, m).Equal(before) {
			t.Error("it was replaced before proxies could know the new root")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		must(t, serving(t, m).CheckSignatureFrom(second.Root()))
	})
}

func TestTheServingCertificateIsHeldBackUntilClocksThatAreBehindAcceptIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second, third := newMesh(), newSharpCA(t), newSharpCA(t), newSharpCA(t)
		one := m.start(t, "one", first)
		settle()
		before := serving(t, m) // there is none to be held back for
		one.want(first, second)
		time.Sleep(mountDelay + time.Minute)
		synctest.Wait()
		if !serving(t, m).Equal(before) {
			t.Error("it was replaced by one that clocks which are behind refuse")
		}
		one.kill()
		two := m.start(t, "two", first, second) // which makes another
		time.Sleep(clockSkew - time.Minute)
		synctest.Wait()
		if !serving(t, m).Equal(before) {
			t.Error("another replica replaced it")
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		after := serving(t, m)
		must(t, after.CheckSignatureFrom(second.Root()))

		two.want(third)
		settle()
		must(t, serving(t, m).CheckSignatureFrom(second.Root()))
		revoke := third.wanted("other")
		revoke.Revoked = []string{"root"}
		two.Want(revoke)
		settle()
		must(t, serving(t, m).CheckSignatureFrom(third.Root()))
	})
}

func TestTheServingCertificateIsIssuedAsSoonAsAReplicaSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh()
		one := m.start(t, "one", newCA(t))
		one.setDeaf(true)
		settle()
		if _, known := one.State(); !known {
			t.Fatal("no root is recorded")
		}
		one.setDeaf(false)
		one.follow()
		synctest.Wait()
		serving(t, m)
	})
}
