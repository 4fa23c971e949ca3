package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/osm-edge/osm/cmd/internal/check"
)

const (
	failedCreate = "FailedCreate"
	// eventOld is how long an Event counts by itself: controllers that this package
	// does not know may have created the pod since.
	eventOld = 10 * time.Minute
)

// creation finds the workloads of a namespace whose pods the API server refuses:
// by the condition that ReplicaSets have, and by the Events of all others. An Event
// lasts longer than what it is about, so the workload has to lack pods still.
func (s *Survey) creation(ctx context.Context, namespace string, now time.Time) (stuck []check.Stuck, err error) {
	if stuck, err = s.replicaSets(ctx, namespace); err != nil {
		return nil, err
	}
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("reason", failedCreate).String(), Limit: page}
	for {
		list, err := s.Kube.CoreV1().Events(namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list events: %w", err)
		}
		latest := map[corev1.ObjectReference]*corev1.Event{}
		for i := range list.Items {
			event := &list.Items[i]
			of := corev1.ObjectReference{Kind: event.InvolvedObject.Kind, Name: event.InvolvedObject.Name, UID: event.InvolvedObject.UID}
			if last := latest[of]; last == nil || at(last).Before(at(event)) {
				latest[of] = event
			}
		}
		for of, event := range latest {
			lacking, err := s.lacksPods(ctx, namespace, of, now.Sub(at(event)))
			if err != nil {
				return nil, err
			}
			if lacking {
				stuck = append(stuck, check.Stuck{Kind: of.Kind, Namespace: namespace, Name: of.Name, Reason: refusal(event.Message)})
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return stuck, nil
		}
	}
}

// at is when an Event was seen last. Each API of Events has a field of its own.
func at(event *corev1.Event) time.Time {
	last := event.LastTimestamp.Time
	if event.EventTime.After(last) {
		last = event.EventTime.Time
	}
	if event.Series != nil && event.Series.LastObservedTime.After(last) {
		last = event.Series.LastObservedTime.Time
	}
	return last
}

// replicaSets returns those that the API server refuses pods of, by the name of
// what users have created.
func (s *Survey) replicaSets(ctx context.Context, namespace string) (stuck []check.Stuck, err error) {
	options := metav1.ListOptions{Limit: page}
	for {
		list, err := s.Kube.AppsV1().ReplicaSets(namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list replicasets: %w", err)
		}
		for i := range list.Items {
			rs := &list.Items[i]
			for _, condition := range rs.Status.Conditions {
				if condition.Type == "ReplicaFailure" && condition.Status == corev1.ConditionTrue && condition.Reason == failedCreate {
					kind, name := "ReplicaSet", rs.Name
					if owner := metav1.GetControllerOf(rs); owner != nil {
						kind, name = owner.Kind, owner.Name
					}
					stuck = append(stuck, check.Stuck{Kind: kind, Namespace: namespace, Name: name, Reason: refusal(condition.Message)})
				}
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return stuck, nil
		}
	}
}

// lacksPods reports whether what an Event is about still has fewer pods than it
// is to have. That of ReplicaSets is known from their conditions.
func (s *Survey) lacksPods(ctx context.Context, namespace string, of corev1.ObjectReference, age time.Duration) (bool, error) {
	apps, name, get := s.Kube.AppsV1(), of.Name, metav1.GetOptions{}
	var lacks bool
	var err error
	switch of.Kind {
	case "ReplicaSet", "Deployment":
		return false, nil
	case "StatefulSet":
		set, failed := apps.StatefulSets(namespace).Get(ctx, name, get)
		lacks, err = failed == nil && set.UID == of.UID && set.Spec.Replicas != nil && set.Status.Replicas < *set.Spec.Replicas, failed
	case "DaemonSet":
		set, failed := apps.DaemonSets(namespace).Get(ctx, name, get)
		lacks, err = failed == nil && set.UID == of.UID && set.Status.CurrentNumberScheduled < set.Status.DesiredNumberScheduled, failed
	case "Job":
		job, failed := s.Kube.BatchV1().Jobs(namespace).Get(ctx, name, get)
		lacks, err = failed == nil && job.UID == of.UID && jobLacksPods(job), failed
	case "ReplicationController":
		rc, failed := s.Kube.CoreV1().ReplicationControllers(namespace).Get(ctx, name, get)
		lacks, err = failed == nil && rc.UID == of.UID && rc.Spec.Replicas != nil && rc.Status.Replicas < *rc.Spec.Replicas, failed
	default:
		return age < eventOld, nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("read %s %s/%s: %w", of.Kind, namespace, name, err)
	}
	return lacks, nil
}

// jobLacksPods reports whether a Job that is to run has none that does.
func jobLacksPods(job *batchv1.Job) bool {
	over := slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
	suspended := job.Spec.Suspend != nil && *job.Spec.Suspend
	return !over && !suspended && job.Status.Active == 0
}

// maxRefusal is the longest answer that is told, in bytes.
const maxRefusal = 1 << 10

// refusal is the API server's answer within what controllers make of it, in one
// line. Webhooks of others may have written it.
func refusal(message string) string {
	message = strings.Join(strings.FieldsFunc(message, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if len(message) > maxRefusal {
		message = strings.ToValidUTF8(message[:maxRefusal], "") + " …"
	}
	for _, before := range []string{"Error creating: ", " failed error: "} {
		if _, after, found := strings.Cut(message, before); found {
			return after
		}
	}
	return message
}
