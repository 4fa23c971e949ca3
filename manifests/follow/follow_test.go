package follow_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/manifests/follow"
)

func named(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string]string{"key": value}}
}

// run runs a Follower while the test does things.
func run[T runtime.Object](t *testing.T, f *follow.Follower[T], do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	synctest.Wait()
	do()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestHandlersSeeWhatIsThereWhatChangesAndWhatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(named("first", "a"), named("second", "b"))
		configMaps := client.CoreV1().ConfigMaps("shop")
		f := follow.New[*corev1.ConfigMap](configMaps, follow.Options{Client: client, Transform: func(object any) (any, error) {
			kept := object.(*corev1.ConfigMap).DeepCopy()
			kept.Data["key"] = strings.ToUpper(kept.Data["key"])
			return kept, nil
		}})
		var seen []string
		f.On(func(cm *corev1.ConfigMap) { seen = append(seen, cm.Name+"="+cm.Data["key"]) },
			func(cm *corev1.ConfigMap) { seen = append(seen, cm.Name+" gone") })
		if f.Synced() {
			t.Error("synced before it ran")
		}
		run(t, f, func() {
			if <-f.Done(); !f.Synced() || len(f.List()) != 2 {
				t.Errorf("synced %v, and has %d objects", f.Synced(), len(f.List()))
			}
			if _, err := configMaps.Update(t.Context(), named("first", "c"), metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := configMaps.Delete(t.Context(), "second", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if cm, ok := f.Get("shop", "first"); !ok || cm.Data["key"] != "C" {
				t.Errorf("has %v", cm)
			}
			if _, ok := f.Get("shop", "second"); ok {
				t.Error("has what is gone")
			}
		})
		slices.Sort(seen)
		if want := []string{"first=A", "first=C", "second gone", "second=B"}; !slices.Equal(seen, want) {
			t.Errorf("handlers saw %q, want %q", seen, want)
		}
	})
}

func TestOneObjectIsAskedForByItsNameAndOthersByTheirLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		f := follow.New[*corev1.ConfigMap](client.CoreV1().ConfigMaps("shop"), follow.Options{Client: client, Name: "first", Labels: "app=a"})
		run(t, f, func() {})
		if len(client.Actions()) < 2 {
			t.Fatalf("it does not list and watch: %v", client.Actions())
		}
		for _, action := range client.Actions() {
			var restrictions string
			switch a := action.(type) {
			case clienttesting.ListActionImpl:
				restrictions = a.GetListRestrictions().Fields.String() + " " + a.GetListRestrictions().Labels.String()
			case clienttesting.WatchActionImpl:
				restrictions = a.GetWatchRestrictions().Fields.String() + " " + a.GetWatchRestrictions().Labels.String()
			}
			if restrictions != "metadata.name=first app=a" {
				t.Errorf("%s of %q", action.GetVerb(), restrictions)
			}
		}
	})
}

func TestAFailureThatStaysIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("no answer")
		})
		var logged bytes.Buffer
		f := follow.New[*corev1.ConfigMap](client.CoreV1().ConfigMaps("shop"), follow.Options{Client: client, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		run(t, f, func() {
			time.Sleep(50 * time.Second)
			if f.Synced() {
				t.Error("synced without a list")
			}
		})
		if n := strings.Count(logged.String(), "cannot watch objects; will try again"); n != 1 || !strings.Contains(logged.String(), "kind=ConfigMap") {
			t.Errorf("logged %d times:\n%s", n, &logged)
		}
	})
}
