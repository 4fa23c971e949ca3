package main

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/test/mesh"
)

func TestAPodSeesTheBundleOfItsStartAndLaterOnesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFedBundles(nil)
		const delay = 5 * time.Second
		if _, err := b.mounted("shop", time.Now(), delay); err == nil {
			t.Error("mounted before there is one")
		}
		b.feed("shop", "one")
		time.Sleep(time.Second)
		started := time.Now()
		for _, step := range []struct {
			after time.Duration
			feed  string
			want  string
		}{
			{0, "", "one"}, {time.Second, "two", "one"}, {delay - time.Second, "", "one"}, {time.Second, "", "two"}, {time.Minute, "three", "two"},
		} {
			time.Sleep(step.after)
			if step.feed != "" {
				b.feed("shop", step.feed)
			}
			got, err := b.mounted("shop", started, delay)
			if err != nil || string(got) != step.want {
				t.Errorf("after %s of its life it has %q, %v, want %q", time.Since(started), got, err, step.want)
			}
			if late, err := b.mounted("shop", time.Now(), delay); err != nil || string(late) != b.last("shop") {
				t.Errorf("a new pod has %q, %v", late, err)
			}
		}
	})
}

func TestAStepIsAChangeOfTheRecord(t *testing.T) {
	steps := 0
	b := newFedBundles(func() { steps++ })
	b.feed("shop", "one")
	b.feed(mesh.Namespace, "one")
	b.feed(mesh.Namespace, "one")
	b.feed(mesh.Namespace, "two")
	if steps != 2 {
		t.Errorf("%d steps, want 2", steps)
	}
}

// fedBundles has no API server.
type fedBundles struct{ *bundles }

func newFedBundles(step func()) fedBundles {
	return fedBundles{&bundles{step: step, versions: map[string][]version{}}}
}

func (b fedBundles) feed(namespace, roots string) {
	b.take(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}, Data: map[string]string{rotation.BundleKey: roots}})
}

func (b fedBundles) last(namespace string) string {
	all := b.versions[namespace]
	return all[len(all)-1].data[rotation.BundleKey]
}
