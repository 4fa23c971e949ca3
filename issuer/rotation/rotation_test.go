package rotation

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestARootIsReplacedWhenEveryPodHasAcknowledgedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(), newCA(t), newCA(t)
		one, two := m.start(t, "one", first), m.start(t, "two", first)
		settle()
		m.mustBe(t, Idle, first)

		web, api := m.addPod("web"), m.addPod("api")
		one.want(first, second)
		two.want(first, second)
		settle()
		m.mustBe(t, Distribute, first)
		one.acknowledge(web)
		settle()
		m.mustBe(t, Distribute, first)
		leader := one
		if two.Leads() {
			leader = two
		}
		if p, known := leader.Progress(); !known || p.Pods != 2 || !slices.Equal(p.Missing, []string{"shop/api"}) || p.Deadline.IsZero() {
			t.Errorf("progress %+v", p)
		}
		two.acknowledge(api)
		settle()
		m.mustBe(t, Retire, second)
		time.Sleep(retirementPeriod + time.Minute)
		synctest.Wait()
		m.mustBe(t, Idle, second)
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
		time.Sleep(ackTimeout - 5*time.Second)
		synctest.Wait()
		m.mustBe(t, Distribute, first)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		m.mustBe(t, Retire, second)
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
		m.mustBe(t, Retire, second)
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
		m.mustBe(t, Distribute, first)
		time.Sleep(staleness + 5*time.Second)
		synctest.Wait()
		m.mustBe(t, Distribute, first) // it lives
		two.kill()
		settle()
		m.mustBe(t, Retire, second)
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
		m.mustBe(t, Distribute, first)

		two := m.start(t, "two", second) // the key of the first is lost
		settle()
		m.mustBe(t, Distribute, first)
		if !two.manager.Bundle().Equal(m.record(t).Bundle()) {
			t.Error("it does not distribute what is recorded")
		}
		two.acknowledge(web)
		settle()
		m.mustBe(t, Retire, second)
		two.kill()

		m.start(t, "three", second)
		time.Sleep(retirementPeriod + time.Minute)
		synctest.Wait()
		m.mustBe(t, Idle, second)
	})
}

// TestARecordThatIsEmptiedIsRepaired tries what is parsed without an error.
func TestARecordThatIsEmptiedIsRepaired(t *testing.T) {
	for name, empty := range map[string]func(*corev1.ConfigMap){
		"without data":      func(cm *corev1.ConfigMap) { cm.Data = nil },
		"with an empty key": func(cm *corev1.ConfigMap) { cm.Data[BundleKey] = "" },
		"without its roots": func(cm *corev1.ConfigMap) { delete(cm.Data, BundleKey) },
		"with DER in their key": func(cm *corev1.ConfigMap) {
			cm.Data, cm.BinaryData = nil, map[string][]byte{BundleKey: {0x30, 0x82}}
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
				cm, err := client.Get(t.Context(), ConfigMapName, metav1.GetOptions{})
				must(t, err)
				empty(cm)
				_, err = client.Update(t.Context(), cm, metav1.UpdateOptions{})
				must(t, err)
				settle()
				if after := m.record(t); !after.Equal(before) {
					t.Errorf("it was %v and is %v", before.Bundle(), after.Bundle())
				}
				cm, err = client.Get(t.Context(), ConfigMapName, metav1.GetOptions{})
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
		must(t, m.client.CoreV1().ConfigMaps(namespace).Delete(t.Context(), ConfigMapName, metav1.DeleteOptions{}))
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
				cm, err := client.Get(t.Context(), ConfigMapName, metav1.GetOptions{})
				must(t, err)
				cm.Data[BundleKey] += "-----END"
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
		for range MaxRoots + 3 {
			one.want(root, newCA(t))
			settle()
		}
		if n := len(m.record(t).Bundle().Roots()); n != MaxRoots {
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
				m.mustBe(t, Retire, last)
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
