package main

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
)

const (
	refusalReason = "InjectionRefused"
	// maxMessage is the longest that the API server takes in the newer form of
	// Events (events.k8s.io/v1, note), in bytes.
	maxMessage = 1024
)

// events says in Events of the cluster which pods are refused. They are few: the
// recorder counts equal ones up, and drops what there is too much of, for one
// object (25 at first, then one in five minutes) and altogether.
type events struct {
	broadcaster record.EventBroadcaster
	recorder    record.EventRecorder
	client      typedcorev1.EventsGetter
}

func newEvents(client typedcorev1.EventsGetter) *events {
	broadcaster := record.NewBroadcaster()
	return &events{
		broadcaster: broadcaster,
		recorder:    broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: name}),
		client:      client,
	}
}

// Run writes Events until ctx ends.
func (e *events) Run(ctx context.Context) error {
	watch := e.broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: e.client.Events("")})
	defer e.broadcaster.Shutdown()
	defer watch.Stop()
	<-ctx.Done()
	return nil
}

// Refused implements injector.Refusals. It waits for nothing.
func (e *events) Refused(pod *corev1.Pod, namespace string, err error) {
	message := err.Error()
	message = strings.ToValidUTF8(message[:min(len(message), maxMessage)], "") // no half of a letter
	e.recorder.Event(whoMadeIt(pod, namespace), corev1.EventTypeWarning, refusalReason, message)
}

// whoMadeIt returns the object that a user looks at when a pod does not appear:
// its controlling owner, if it has one.
func whoMadeIt(pod *corev1.Pod, namespace string) *corev1.ObjectReference {
	if owner := metav1.GetControllerOf(pod); owner != nil {
		return &corev1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: namespace, Name: owner.Name, UID: owner.UID}
	}
	name := pod.Name
	if name == "" {
		name = strings.TrimSuffix(pod.GenerateName, "-")
	}
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name, UID: pod.UID}
}
