package rotation

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	leaseName = "osm-controller"

	// A leader that is killed is followed after leaseDuration at most; one that
	// ends, at once.
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	retryPeriod   = 1 * time.Second
)

// runElections leads whenever this replica holds the Lease. Who loses it, as
// when the API server is away, stands for election again.
func (r *Rotation) runElections(ctx context.Context) error {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: r.Namespace, Name: leaseName},
			Client:     r.Client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: r.Replica},
			Labels:     r.Labels,
		},
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: true,
		Name:            leaseName,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: r.runLead,
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		elector.Run(ctx)
	}
	return nil
}

// runLead does what only one replica does, until ctx ends.
func (r *Rotation) runLead(ctx context.Context) {
	r.Logger.Info("this replica leads the rotation of roots")
	r.leads.Store(true)
	defer func() {
		r.leads.Store(false)
		r.progress.Store(nil)
		r.Changed()
	}()
	r.Changed()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.moveOn(ctx) })
	group.Go(func() error { return r.keepServing(ctx) })
	_ = group.Wait() // neither fails
}
