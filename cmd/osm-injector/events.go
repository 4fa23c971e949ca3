package main

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/osm-edge/osm/injector"
)

const (
	refusalReason = "InjectionRefused"
	// repeatTime is how long after an Event the same of the same owner is none, nor
	// looked up again an owner that is not there.
	repeatTime = 5 * time.Minute
	maxOwners  = 1024
	// maxWaiting refusals wait for their owner to be looked up; what is beyond
	// becomes no Event. Who creates a pod is told in any case.
	maxWaiting = 64
	// ownerRate and ownerBurst bound look-ups, and so Events, of a replica.
	ownerRate, ownerBurst = 1, 20
)

// events says in Events of the cluster which pods are refused. What is refused may
// come from anyone, so that an Event says nothing of it: its text is ours, and its
// object one that the API server knows by the UID that the pod gives.
type events struct {
	broadcaster record.EventBroadcaster
	recorder    record.EventRecorder
	client      kubernetes.Interface
	waiting     chan refusal
	limit       *rate.Limiter
	known       *utilcache.LRUExpireCache
}

type refusal struct {
	owner  owner
	reason injector.Reason
}

func newEvents(client kubernetes.Interface) *events {
	broadcaster := record.NewBroadcaster()
	return &events{
		broadcaster: broadcaster,
		recorder:    broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: name}),
		client:      client,
		waiting:     make(chan refusal, maxWaiting),
		limit:       rate.NewLimiter(ownerRate, ownerBurst),
		known:       utilcache.NewLRUExpireCache(maxOwners),
	}
}

// Run writes Events until ctx ends.
func (e *events) Run(ctx context.Context) error {
	watch := e.broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: e.client.CoreV1().Events("")})
	defer e.broadcaster.Shutdown()
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-e.waiting:
			e.write(ctx, r)
		}
	}
}

// Refused implements injector.Refusals. It waits for nothing.
func (e *events) Refused(pod *corev1.Pod, namespace string, reason injector.Reason) {
	controller := metav1.GetControllerOf(pod)
	if controller == nil {
		return // it is its creator who looks for it, and who has the answer
	}
	r := refusal{owner{controller.APIVersion, controller.Kind, namespace, controller.Name, controller.UID}, reason}
	if _, known := e.known.Get(r); known || !r.owner.valid() {
		return
	}
	select {
	case e.waiting <- r:
	default:
	}
}

// write writes the Event of a refusal, if its owner is there.
func (e *events) write(ctx context.Context, r refusal) {
	if _, known := e.known.Get(r); known || !e.limit.Allow() {
		return
	}
	reference, err := r.owner.look(ctx, e.client)
	if err != nil && !r.owner.missing(err) {
		return // the next refusal asks again
	}
	e.known.Add(r, nil, repeatTime)
	if reference != nil {
		e.recorder.Event(reference, corev1.EventTypeWarning, refusalReason, r.reason.Explanation())
	}
}
