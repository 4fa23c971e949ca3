package main

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/manifests"
)

func TestTheAPIServerIsAskedWhereTheCacheIsBehind(t *testing.T) {
	joined := map[string]string{"openservicemesh.io/monitored-by": "osm"}
	tests := map[string]struct {
		cached, live map[string]string // labels; no such namespace when nil
		lookups      int
		missing      bool
	}{
		"known to belong to the mesh":          {cached: joined, live: joined},
		"labelled a moment ago":                {cached: map[string]string{}, live: joined, lookups: 1},
		"created a moment ago":                 {live: joined, lookups: 1},
		"gone":                                 {lookups: 1, missing: true},
		"of another mesh until now":            {cached: map[string]string{"openservicemesh.io/monitored-by": "other"}, live: joined, lookups: 1},
		"not of the mesh, whatever the caller": {cached: map[string]string{}, live: map[string]string{}, lookups: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			named := func(labels map[string]string) *corev1.Namespace {
				return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: labels}}
			}
			client := fake.NewClientset()
			if test.live != nil {
				client = fake.NewClientset(named(test.live))
			}
			indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
			if test.cached != nil {
				if err := indexer.Add(named(test.cached)); err != nil {
					t.Fatal(err)
				}
			}
			lookup := &namespaces{
				cached:    listersv1.NewNamespaceLister(indexer),
				live:      client.CoreV1().Namespaces(),
				monitored: manifests.Monitored("osm"),
			}
			namespace, err := lookup.Get("shop")
			if apierrors.IsNotFound(err) != test.missing {
				t.Fatalf("error %v", err)
			}
			if !test.missing && namespace.Labels["openservicemesh.io/monitored-by"] != test.live["openservicemesh.io/monitored-by"] {
				t.Errorf("labels %v, want %v", namespace.Labels, test.live)
			}
			if n := len(client.Actions()); n != test.lookups {
				t.Errorf("%d lookups, want %d", n, test.lookups)
			}
		})
	}
}

// shops counts the look-ups of namespaces, of which none is the mesh's.
func shops(t *testing.T, existing ...string) (lookup *namespaces, lookups func() int) {
	t.Helper()
	client := fake.NewClientset()
	for _, name := range existing {
		if err := client.Tracker().Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	return &namespaces{
		cached:    listersv1.NewNamespaceLister(cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})),
		live:      client.CoreV1().Namespaces(),
		monitored: manifests.Monitored("osm"),
	}, func() int { return len(client.Actions()) }
}

func TestUnknownNamespacesAreLookedUpAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lookup, lookups := shops(t)
		for n := range 1000 {
			if _, err := lookup.Get(fmt.Sprint("shop-", n)); err == nil {
				t.Fatal("a namespace that is not there was found")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if most := lookupBurst + 10*lookupRate + 1; lookups() > most {
			t.Errorf("%d look-ups in 10 seconds, want at most %d", lookups(), most)
		}
	})
}

func TestANamespaceThatIsNotTheMeshsIsAskedAboutOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lookup, lookups := shops(t, "shop")
		for range 30 {
			_, _ = lookup.Get("shop")
			time.Sleep(100 * time.Millisecond)
		}
		if lookups() > 3 {
			t.Errorf("%d look-ups in 3 seconds", lookups())
		}
	})
}

func TestANamespaceThatIsRememberedAsNotTheMeshsIsNotSkipped(t *testing.T) {
	lookup, _ := shops(t, "shop")
	if _, err := lookup.Get("shop"); err != nil {
		t.Fatal(err)
	}
	// It may have been labelled since: a pod must not go without a sidecar.
	if _, err := lookup.Get("shop"); !errors.Is(err, errMissed) {
		t.Errorf("error %v, want one to try again", err)
	}
}
