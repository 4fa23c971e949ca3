package rotation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// reportPause is between two writes.
	reportPause = 300 * time.Millisecond
	// reportCheck is between two looks at how far certificates are replaced.
	reportCheck = time.Second
	// heartbeat is how often a replica says that it lives, while others wait for it.
	heartbeat = 5 * time.Second
	// calm is how often it looks at its report while nothing happens.
	calm = time.Minute

	writeTimeout = 10 * time.Second
	farewell     = time.Second
)

// runReports keeps this replica's report, and withdraws it when ctx ends.
func (r *Rotation) runReports(ctx context.Context) error {
	owner := r.owner(ctx)
	var last report
	var written time.Time
	for pause := time.Duration(0); ; pause = reportPause {
		if !sleep(ctx, pause) {
			return r.withdraw(context.WithoutCancel(ctx), owner)
		}
		if err := r.repair(ctx); err != nil && ctx.Err() == nil {
			r.Logger.Warn("cannot repair the record of the trusted roots; will try again", "error", err)
			wake(r.report)
		}
		next, awaited := r.compose()
		if !next.says(last) || written.IsZero() || awaited && time.Since(written) >= heartbeat {
			if err := r.write(ctx, next, owner); err != nil {
				if ctx.Err() == nil {
					r.Logger.Warn("cannot write the report of this replica; will try again", "error", err)
				}
				wake(r.report)
				sleep(ctx, reportCheck)
				continue
			}
			last, written = next, time.Now()
		}
		wait(ctx, r.report, map[bool]time.Duration{true: reportCheck, false: calm}[awaited])
	}
}

// repair writes a record that is malformed anew, as this replica knew it last.
func (r *Rotation) repair(ctx context.Context) error {
	known, ok := r.State()
	if !ok || !r.malformed.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := r.record.Advance(ctx, func(recorded State) State {
		if recorded.Bundle().IsEmpty() {
			return known
		}
		return recorded
	})
	return err
}

// compose returns the report, and whether others wait for it.
func (r *Rotation) compose() (next report, awaited bool) {
	r.acks.prune(r.gone(), time.Now())
	next.Heartbeat = time.Now().UTC().Truncate(time.Second)
	next.Current, next.Total = r.Manager.Progress()
	next.HeldBack = r.Manager.HeldBack()
	if signing := r.signing.Load(); signing != nil && !signing.IsEmpty() {
		next.Signing = signing.Digest()
	}
	bundle := r.Manager.Bundle()
	next.Bundle = bundle.Digest()
	state, known := r.State()
	if !known {
		return next, true
	}
	step, _ := state.Step()
	if step == Distribute {
		next.pods = r.acks.of(next.Bundle)
	}
	return next, step == Distribute || step == Sign
}

// gone tells which pods are not there any more. If that cannot be told, none.
func (r *Rotation) gone() func(types.UID) bool {
	pods, err := r.Pods()
	there := make(map[types.UID]bool, len(pods))
	for _, pod := range pods {
		there[pod.UID] = true
	}
	return func(pod types.UID) bool { return err == nil && !there[pod] }
}

func (r *Rotation) write(ctx context.Context, next report, owner []metav1.OwnerReference) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: r.reportName(), OwnerReferences: owner, Labels: map[string]string{reportLabel: "true"},
	}}
	for key, value := range r.Labels {
		cm.Labels[key] = value
	}
	if err := next.fill(cm); err != nil {
		return err
	}
	client := r.Client.CoreV1().ConfigMaps(r.Namespace)
	_, err := client.Update(ctx, cm, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(ctx, cm, metav1.CreateOptions{})
	}
	return err
}

// withdraw says that this replica is gone. What proxies told it, they tell
// another one when they are there.
func (r *Rotation) withdraw(ctx context.Context, owner []metav1.OwnerReference) error {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if err := r.write(ctx, report{}, owner); err != nil {
		r.Logger.Warn("cannot withdraw the report of this replica", "error", err)
	}
	return nil
}

// owner has the report deleted with the Pod that it is of, where it is of one.
func (r *Rotation) owner(ctx context.Context) []metav1.OwnerReference {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	pod, err := r.Client.CoreV1().Pods(r.Namespace).Get(ctx, r.Replica, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}}
}

func (r *Rotation) reportName() string { return reportPrefix + r.Replica }

// wait returns when the slot is filled, the time is over or ctx has ended.
func wait(ctx context.Context, slot <-chan struct{}, atMost time.Duration) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-slot:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// sleep returns false when ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	wait(ctx, nil, d)
	return ctx.Err() == nil
}
