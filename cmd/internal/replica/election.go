package replica

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
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

// Election has one replica do what only one may. All fields are required.
type Election struct {
	Leases    coordinationv1.LeasesGetter
	Namespace string
	// Replica tells this process from others, as the name of its Pod does.
	Replica string
	// Labels are given to the Lease.
	Labels map[string]string
	// Lead is run while this replica leads, each until its context ends.
	Lead []func(context.Context)
}

// Run leads whenever this replica holds the Lease, until ctx ends. A replica that
// loses it, as when the API server is away, stands for election again.
func (e *Election) Run(ctx context.Context) error {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: e.Namespace, Name: leaseName},
			Client:     e.Leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: e.Replica},
			Labels:     e.Labels,
		},
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: true,
		Name:            leaseName,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: e.lead,
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

func (e *Election) lead(ctx context.Context) {
	var running sync.WaitGroup
	for _, run := range e.Lead {
		running.Go(func() { run(ctx) })
	}
	running.Wait()
}
