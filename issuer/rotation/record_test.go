package rotation

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func newRecord(client *fake.Clientset) *Record {
	return &Record{ConfigMaps: client.CoreV1().ConfigMaps("osm-system"), Labels: meshLabels}
}

// advance records that all proxies have acknowledged, and that this is wanted.
func advance(r *Record, t *testing.T, w Wanted) (State, error) {
	t.Helper()
	return r.Advance(t.Context(), func(s State) State {
		return s.Next(w, Situation{Now: time.Now(), Acknowledged: true, AckTimeout: tenMinutes, RetirementPeriod: dayLong})
	})
}

func mustAdvance(t *testing.T, r *Record, roots letters, wanted, trusted string) {
	t.Helper()
	state, err := advance(r, t, roots.want(wanted))
	if err != nil {
		t.Fatal(err)
	}
	read, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !state.Equal(read) {
		t.Error("another state is recorded than returned")
	}
	if got := roots.names(state.Bundle()); got != trusted {
		t.Errorf("trusted are %s, want %s", got, trusted)
	}
}

func TestTheRecordOutlivesItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots, client := newRoots(t, "ab"), fake.NewClientset()
		mustAdvance(t, newRecord(client), roots, "a", "a")
		mustAdvance(t, newRecord(client), roots, "b", "ab")
		mustAdvance(t, newRecord(client), roots, "b", "ab")
		time.Sleep(dayLong + 2*time.Second)
		mustAdvance(t, newRecord(client), roots, "b", "b")
		cm, err := client.CoreV1().ConfigMaps("osm-system").Get(t.Context(), ConfigMapName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(cm.Labels, meshLabels) || len(cm.Data) != 2 {
			t.Errorf("the configmap has labels %v and %d keys", cm.Labels, len(cm.Data))
		}
	})
}

func TestARecordThatIsImmutableIsNamed(t *testing.T) {
	roots, client := newRoots(t, "ab"), fake.NewClientset()
	mustAdvance(t, newRecord(client), roots, "a", "a")
	cm, err := client.CoreV1().ConfigMaps("osm-system").Get(t.Context(), ConfigMapName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Immutable = new(true)
	if err := client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("configmaps"), cm, "osm-system"); err != nil {
		t.Fatal(err)
	}
	if _, err := advance(newRecord(client), t, roots.want("b")); err == nil || !strings.Contains(err.Error(), "osm-trust-bundle is immutable") || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("error %v", err)
	}
}

func TestNothingIsRecordedAtFirst(t *testing.T) {
	state, err := newRecord(fake.NewClientset()).Read(t.Context())
	if err != nil || !state.Bundle().IsEmpty() {
		t.Errorf("read %v, error %v", state.Bundle(), err)
	}
}

func TestWhatIsRecordedIsNotWrittenAgain(t *testing.T) {
	roots, client := newRoots(t, "a"), fake.NewClientset()
	for range 3 {
		if _, err := advance(newRecord(client), t, roots.want("a")); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, client, "get create get get")
}

func TestAMalformedRecordIsWrittenAnew(t *testing.T) {
	roots := newRoots(t, "a")
	client := fake.NewClientset(configMap("osm-system", meshLabels, map[string]string{BundleKey: "garbage"}))
	_, err := newRecord(client).Read(t.Context())
	if !errors.Is(err, ErrMalformed) {
		t.Fatalf("read with error %v", err)
	}
	for _, want := range []string{"configmap osm-system/osm-trust-bundle", `key "ca.crt"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	mustAdvance(t, newRecord(client), roots, "a", "a")
}

func TestWhatCannotBeReadBackIsNotWritten(t *testing.T) {
	roots, client := newRoots(t, "a"), fake.NewClientset()
	_, err := newRecord(client).Advance(t.Context(), func(s State) State {
		s = s.Next(roots.want("a"), Situation{Now: noon})
		s.step = "dance"
		return s
	})
	if err == nil || !strings.Contains(err.Error(), "could not be read back") {
		t.Errorf("error %v", err)
	}
	mustDo(t, client, "get")
}

func TestReplicasThatAdvanceAtTheSameTimeAgree(t *testing.T) {
	tests := map[string]struct{ verb, before, want string }{
		"one loses the create": {"create", "", "bc"},
		"one loses the update": {"update", "a", "abc"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				roots, client := newRoots(t, "abc"), fake.NewClientset()
				if test.before != "" {
					mustAdvance(t, newRecord(client), roots, test.before, test.before)
				}
				n := Situation{Now: time.Now(), AckTimeout: tenMinutes, RetirementPeriod: dayLong}
				other := State{}
				if test.before != "" {
					other = other.Next(roots.want(test.before), n)
				}
				other = other.Next(roots.want("b"), n)
				loseTo(t, client, test.verb, other)
				mustAdvance(t, newRecord(client), roots, "c", test.want)
			})
		})
	}
}

// loseTo makes the first write come after another replica's.
func loseTo(t *testing.T, client *fake.Clientset, verb string, other State) {
	t.Helper()
	data, err := other.encode()
	if err != nil {
		t.Fatal(err)
	}
	lost := false
	client.PrependReactor(verb, "configmaps", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if lost {
			return false, nil, nil
		}
		lost = true
		cm, tracker := configMap("osm-system", meshLabels, data), client.Tracker()
		if verb == "create" {
			return true, nil, errors.Join(tracker.Add(cm), apierrors.NewAlreadyExists(corev1.Resource("configmaps"), ConfigMapName))
		}
		conflict := apierrors.NewConflict(corev1.Resource("configmaps"), ConfigMapName, errors.New("it has changed"))
		return true, nil, errors.Join(tracker.Update(action.GetResource(), cm, "osm-system"), conflict)
	})
}
