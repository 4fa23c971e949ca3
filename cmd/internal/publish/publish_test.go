package publish

import (
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

func TestMonitoredNamespacesGetACopyAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ending := namespace("ending", monitored)
		ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{Time: time.Now()}, []string{"kubernetes"}
		m := startMesh(t, namespace("bookstore", monitored), namespace("default", nil), ending,
			namespace("other", map[string]string{"openservicemesh.io/monitored-by": "other"}), namespace("osm-system", monitored))
		m.mustHold(t, "")
		m.set(t, "first")
		m.mustHold(t, "first", "bookstore")

		m.createNamespace(t, namespace("bookbuyer", monitored))
		m.updateNamespace(t, namespace("default", monitored))
		synctest.Wait()
		m.mustHold(t, "first", "bookbuyer", "bookstore", "default")

		m.updateNamespace(t, namespace("default", nil)) // whose sidecars run on
		m.set(t, "second")
		m.mustHold(t, "second", "bookbuyer", "bookstore", "default")
		if m.logged.Len() > 0 {
			t.Errorf("logged %s", &m.logged)
		}
	})
}

func TestACopyThatDriftsIsFixed(t *testing.T) {
	tests := map[string]func(*corev1.ConfigMap){
		"another note":           func(cm *corev1.ConfigMap) { cm.Data["note"] = "another" },
		"no note":                func(cm *corev1.ConfigMap) { cm.Data = nil },
		"something beside":       func(cm *corev1.ConfigMap) { cm.Data["more"] = "of it" },
		"bytes beside":           func(cm *corev1.ConfigMap) { cm.BinaryData = map[string][]byte{"more": {1}} },
		"a label of the cluster": func(cm *corev1.ConfigMap) { cm.Data = nil; cm.Labels["team"] = "platform" },
	}
	for name, drift := range tests {
		t.Run(name, func(t *testing.T) {
			for _, start := range []func(*testing.T, ...runtime.Object) *mesh{startMesh, startSealed} {
				synctest.Test(t, func(t *testing.T) {
					m := start(t, namespace("bookstore", monitored))
					m.set(t, "first")
					cm := configMap("bookstore", maps.Clone(meshLabels), notes("first"))
					drift(cm)
					m.update(t, cm)
					m.mustHold(t, "first", "bookstore")
				})
			}
		})
	}
}

func TestWhatStandsForItsContentIsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startSealed(t, namespace("bookstore", monitored), namespace("bookbuyer", monitored), configMap("bookbuyer", meshLabels, notes("first")))
		m.set(t, "first")
		m.mustHold(t, "first", "bookbuyer", "bookstore")
	})
}

func TestWhatATenantHasSealedIsReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		start func(*testing.T, ...runtime.Object) *mesh
		note  string
	}{
		"what may change, with something else":        {startMesh, "another"},
		"what may change, as it is now":               {startMesh, "first"},
		"what stands for its content, with another's": {startSealed, "another"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := test.start(t, namespace("bookstore", monitored), sealed(configMap("bookstore", meshLabels, notes(test.note))))
				m.client.ClearActions()
				m.set(t, "first")
				if verbs := m.did(); len(verbs) < 2 || verbs[0] != "delete" || verbs[1] != "create" {
					t.Errorf("the API server was asked to %q", verbs)
				}
				m.mustHold(t, "first", "bookstore")
				m.mustLog(t, "level=WARN", "made immutable by another client", "namespace=bookstore", "configmap=osm-notes")
			})
		})
	}
}

func TestWhatAnotherClientSealedIsDeletedNoLaterThanItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := sealed(configMap("bookstore", meshLabels, notes("another")))
		read.UID, read.ResourceVersion = "uid", "7"
		m := startMesh(t, namespace("bookstore", monitored), read)
		m.client.PrependReactor("delete", "configmaps", func(action clienttesting.Action) (bool, runtime.Object, error) {
			only := action.(clienttesting.DeleteAction).GetDeleteOptions().Preconditions
			if only == nil || only.UID == nil || *only.UID != "uid" || only.ResourceVersion == nil || *only.ResourceVersion != "7" {
				t.Errorf("deleted if it is %v", only)
			}
			return true, nil, apierrors.NewConflict(corev1.Resource("configmaps"), name, errors.New("it is another"))
		})
		m.client.ClearActions()
		m.set(t, "first")
		m.mustDo(t, "delete")
	})
}

func TestAForeignConfigMapThatIsSealedIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t, namespace("bookstore", monitored), sealed(configMap("bookstore", map[string]string{"team": "platform"}, notes("another"))))
		m.client.ClearActions()
		m.set(t, "first")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		m.mustDo(t, "")
		m.mustLog(t, "configmap bookstore/osm-notes is not the mesh's")
	})
}

func TestADeletedCopyIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t, namespace("bookstore", monitored))
		m.set(t, "first")
		m.remove(t, "bookstore")
		m.mustHold(t, "first", "bookstore")
	})
}

func TestWhatIsPublishedIsNotWrittenAgain(t *testing.T) {
	for name, start := range map[string]func(*testing.T, ...runtime.Object) *mesh{"mutable": startMesh, "immutable": startSealed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := start(t, namespace("bookstore", monitored))
				m.set(t, "first")
				m.client.ClearActions()
				m.set(t, "first")
				m.Changed("bookstore")
				synctest.Wait()
				m.mustDo(t, "")
			})
		})
	}
}

func TestWhatIsPublishedIsNotTheCallersAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		data := notes("first")
		if err := m.Set(data); err != nil {
			t.Fatal(err)
		}
		data["note"] = "another"
		m.createNamespace(t, namespace("bookstore", monitored))
		synctest.Wait()
		m.mustHold(t, "first", "bookstore")
	})
}

func TestAForeignConfigMapIsLeftAloneAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t, namespace("bookstore", monitored), configMap("bookstore", map[string]string{"team": "platform"}, notes("first")))
		m.client.ClearActions()
		m.set(t, "first")
		time.Sleep(10 * time.Minute) // many retries
		synctest.Wait()
		m.mustDo(t, "")
		m.mustLog(t, "level=ERROR", "namespace=bookstore", "configmap bookstore/osm-notes is not the mesh's", "rename or delete it")

		m.remove(t, "bookstore")
		m.mustHold(t, "first", "bookstore")
	})
}

func TestAnAPIServerThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t, namespace("bookstore", monitored))
		var down atomic.Bool
		down.Store(true)
		m.client.PrependReactor("create", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return down.Load(), nil, apierrors.NewServiceUnavailable("away")
		})
		m.set(t, "first")
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mustHold(t, "")
		m.mustFail(t, 1)
		down.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		m.mustFail(t, 0)
		m.mustHold(t, "first", "bookstore")
		m.mustLog(t, "create configmap bookstore/osm-notes: away")
	})
}

func TestAnotherReplicaThatWasFirstIsNoError(t *testing.T) {
	resource := corev1.Resource("configmaps")
	terminating := apierrors.NewForbidden(resource, name, errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	tests := map[string]struct {
		verb  string
		err   error
		there []runtime.Object
	}{
		"it created the copy":      {"create", apierrors.NewAlreadyExists(resource, name), nil},
		"the namespace is ending":  {"create", terminating, nil},
		"it updated the copy":      {"update", apierrors.NewConflict(resource, name, errors.New("it has changed")), []runtime.Object{configMap("bookstore", meshLabels, nil)}},
		"someone deleted the copy": {"update", apierrors.NewNotFound(resource, name), []runtime.Object{configMap("bookstore", meshLabels, nil)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := startMesh(t, append(test.there, namespace("bookstore", monitored))...)
				asked := 0
				m.client.PrependReactor(test.verb, "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
					asked++
					return true, nil, test.err
				})
				m.set(t, "first")
				time.Sleep(time.Hour)
				synctest.Wait()
				if asked != 1 || m.logged.Len() > 0 {
					t.Errorf("asked %d times, logged %q", asked, &m.logged)
				}
			})
		})
	}
}
