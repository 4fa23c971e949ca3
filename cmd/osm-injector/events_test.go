package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/injector"
)

// replicaSet is the only owner that there is.
var replicaSet = &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-5d9", UID: "1234"}}

// written returns the Events that come of refusals, and how often the API server
// was asked about an owner.
func written(t *testing.T, refuse func(*events)) (list []corev1.Event, lookups int) {
	t.Helper()
	client := fake.NewClientset(replicaSet)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := newEvents(client)
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		synctest.Wait()
		refuse(e)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, action := range client.Actions() {
		if action.GetVerb() == "get" {
			lookups++
		}
	}
	events, err := client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return events.Items, lookups
}

func ownedBy(kind, name, uid string, controller bool) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID(uid), Controller: &controller},
	}}}
}

func TestARefusalIsAnEventOfAnOwnerThatIsThere(t *testing.T) {
	tests := map[string]struct {
		pod     *corev1.Pod
		events  int
		lookups int
	}{
		"of a ReplicaSet":               {ownedBy("ReplicaSet", "web-5d9", "1234", true), 1, 1},
		"of a ReplicaSet that is gone":  {ownedBy("ReplicaSet", "web-4c8", "1233", true), 0, 1},
		"of one with another UID":       {ownedBy("ReplicaSet", "web-5d9", "1235", true), 0, 1},
		"of one without a UID":          {ownedBy("ReplicaSet", "web-5d9", "", true), 0, 0},
		"of a UID that is none":         {ownedBy("ReplicaSet", "web-5d9", strings.Repeat("1", 65), true), 0, 0},
		"of a name that is none":        {ownedBy("ReplicaSet", "web 5d9: call 555", "1234", true), 0, 0},
		"of a Deployment":               {ownedBy("Deployment", "web", "1234", true), 0, 0},
		"of no controlling owner":       {ownedBy("ReplicaSet", "web-5d9", "1234", false), 0, 0},
		"of a user, who has the answer": {&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			list, lookups := written(t, func(e *events) { e.Refused(test.pod, "shop", "annotation") })
			if len(list) != test.events || lookups != test.lookups {
				t.Fatalf("%d Events and %d look-ups, want %d and %d", len(list), lookups, test.events, test.lookups)
			}
			for _, event := range list {
				want := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "shop", Name: "web-5d9", UID: "1234"}
				if event.InvolvedObject != want || event.Namespace != "shop" {
					t.Errorf("of %v in %s, want %v", event.InvolvedObject, event.Namespace, want)
				}
				if event.Type != "Warning" || event.Reason != "InjectionRefused" || event.Source.Component != "osm-injector" ||
					event.Message != injector.Reason("annotation").Explanation() {
					t.Errorf("event %s %s of %s: %s", event.Type, event.Reason, event.Source.Component, event.Message)
				}
			}
		})
	}
}

func TestRefusalsThatGoOnAreFewEvents(t *testing.T) {
	pod := ownedBy("ReplicaSet", "web-5d9", "1234", true)
	list, lookups := written(t, func(e *events) {
		for range 500 {
			e.Refused(pod, "shop", "annotation")
			time.Sleep(100 * time.Millisecond)
		}
	})
	if len(list) != 1 || lookups != 1 {
		t.Errorf("%d Events and %d look-ups for 500 refusals", len(list), lookups)
	}
}

func TestOwnersThatAreNotThereAreLookedUpAtABoundedRate(t *testing.T) {
	list, lookups := written(t, func(e *events) {
		for n := range 1000 {
			e.Refused(ownedBy("ReplicaSet", fmt.Sprint("web-", n), "1234", true), "shop", "annotation")
			time.Sleep(10 * time.Millisecond)
		}
	})
	if most := ownerBurst + 10*ownerRate + 1; len(list) != 0 || lookups > most {
		t.Errorf("%d Events and %d look-ups in 10 seconds, want none and at most %d", len(list), lookups, most)
	}
}
