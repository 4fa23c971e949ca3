package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// written returns the Events that come of refusals.
func written(t *testing.T, refuse func(*events)) []corev1.Event {
	t.Helper()
	client := fake.NewClientset()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := newEvents(client.CoreV1())
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
	list, err := client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func TestARefusalIsAnEventOfWhoMadeThePod(t *testing.T) {
	owned := func(controller bool) metav1.ObjectMeta {
		return metav1.ObjectMeta{GenerateName: "web-5d9-", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ConfigMap", Name: "other"},
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d9", UID: "1234", Controller: &controller},
		}}
	}
	tests := map[string]struct {
		pod  metav1.ObjectMeta
		want corev1.ObjectReference
	}{
		"of a ReplicaSet":         {owned(true), corev1.ObjectReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Namespace: "shop", Name: "web-5d9", UID: "1234"}},
		"of no controlling owner": {owned(false), corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web-5d9"}},
		"of a user":               {metav1.ObjectMeta{Name: "web"}, corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			list := written(t, func(e *events) {
				e.Refused(&corev1.Pod{ObjectMeta: test.pod}, "shop", errors.New("port 15003 is the sidecar's: use another"))
			})
			if len(list) != 1 {
				t.Fatalf("%d Events", len(list))
			}
			event := list[0]
			if event.InvolvedObject != test.want || event.Namespace != "shop" {
				t.Errorf("of %v in %s, want %v", event.InvolvedObject, event.Namespace, test.want)
			}
			if event.Type != "Warning" || event.Reason != "InjectionRefused" || event.Source.Component != "osm-injector" ||
				event.Message != "port 15003 is the sidecar's: use another" {
				t.Errorf("event %s %s of %s: %s", event.Type, event.Reason, event.Source.Component, event.Message)
			}
		})
	}
}

func TestAMessageThatIsTooLongIsCutBetweenLetters(t *testing.T) {
	list := written(t, func(e *events) {
		e.Refused(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, "shop", errors.New("x"+strings.Repeat("ß", maxMessage)))
	})
	if len(list) != 1 || list[0].Message != "x"+strings.Repeat("ß", maxMessage/2-1) {
		t.Errorf("events %v", list)
	}
}

func TestRefusalsThatGoOnAreFewEvents(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	list := written(t, func(e *events) {
		for n := range 500 {
			e.Refused(pod, "shop", fmt.Errorf("refusal %d", n))
			time.Sleep(100 * time.Millisecond)
		}
	})
	if len(list) == 0 || len(list) > 25 {
		t.Errorf("%d Events for 500 refusals", len(list))
	}
}
