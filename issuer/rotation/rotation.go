package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/follow"
)

// Options configures a Rotation. All but Metrics are required.
type Options struct {
	// Client reads and writes in the mesh namespace.
	Client    kubernetes.Interface
	Namespace string
	// Replica tells this process from others, as the name of its Pod does.
	Replica string
	// Labels are given to the objects that are created.
	Labels map[string]string
	// Pods returns the pods that have a sidecar.
	Pods func() ([]*corev1.Pod, error)
	// Manager issues the certificates of this replica.
	Manager *issuer.Manager
	// AckTimeout is how long to wait for proxies that do not acknowledge a root.
	AckTimeout time.Duration
	// RetirementPeriod returns how long a certificate can live that is signed now.
	RetirementPeriod func() time.Duration
	// Changed is called when the State has changed, or who moves it on.
	Changed func()
	// Announce tells the mesh's operator what has happened.
	Announce func(context.Context, Announcement)
	Metrics  *Metrics
	Logger   *slog.Logger
}

// Rotation is one replica's part in the replacement of roots.
type Rotation struct {
	Options
	record   *Record
	recorded *follow.Follower[*corev1.ConfigMap] // the record
	reports  *follow.Follower[*corev1.ConfigMap] // of all replicas
	acks     acknowledgements

	state    atomic.Pointer[seen]
	wanted   atomic.Pointer[Wanted]
	signing  atomic.Pointer[issuer.TrustBundle] // what this replica signs with
	progress atomic.Pointer[Progress]
	leads    atomic.Bool
	// malformed says that the record cannot be read.
	malformed atomic.Bool
	// waiting are the roots that were last announced to wait. The leader alone
	// uses it.
	waiting issuer.TrustBundle

	mu     sync.Mutex
	others map[string]sighting // reports, by replica

	report, lead chan struct{} // one slot each: something is to be looked at
}

// seen is the record as it was seen last.
type seen struct {
	State
	version string // the resourceVersion
}

// New returns a Rotation.
func New(o Options) *Rotation {
	r := &Rotation{
		Options: o,
		record:  &Record{ConfigMaps: o.Client.CoreV1().ConfigMaps(o.Namespace), Labels: o.Labels},
		others:  map[string]sighting{},
		report:  make(chan struct{}, 1),
		lead:    make(chan struct{}, 1),
	}
	r.watch()
	return r
}

// Want says what this replica finds that the mesh is to come to.
func (r *Rotation) Want(w Wanted) {
	if before := r.wanted.Swap(&w); before == nil || !before.Equal(w) {
		wake(r.lead)
	}
}

// State returns what is recorded, as far as it is known here. It is not before
// the first root is recorded.
func (r *Rotation) State() (State, bool) {
	if s := r.state.Load(); s != nil {
		return s.State, true
	}
	return State{}, false
}

// Signs says which roots this replica signs with; none if the bundle is empty. It
// returns whether that is new.
func (r *Rotation) Signs(roots issuer.TrustBundle) bool {
	before := r.signing.Swap(&roots)
	wake(r.report)
	return before == nil || !before.Equal(roots)
}

// Leads reports whether this replica is the one that moves the State on.
func (r *Rotation) Leads() bool { return r.leads.Load() }

// Run takes part until ctx ends.
func (r *Rotation) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.recorded.Run(ctx) })
	group.Go(func() error { return r.reports.Run(ctx) })
	group.Go(func() error {
		if !cache.WaitForCacheSync(ctx.Done(), r.recorded.Synced, r.reports.Synced) {
			return nil // told to end
		}
		return r.runReports(ctx)
	})
	return group.Wait()
}

// Lead moves the State on until ctx ends. One replica at a time may lead.
func (r *Rotation) Lead(ctx context.Context) {
	if !cache.WaitForCacheSync(ctx.Done(), r.recorded.Synced, r.reports.Synced) {
		return
	}
	r.Logger.Info("this replica leads the rotation of roots")
	r.leads.Store(true)
	defer func() {
		r.leads.Store(false)
		r.progress.Store(nil)
		r.Changed()
	}()
	r.Changed()
	r.moveOn(ctx)
}

// Confirm returns nil if the record is the one that is known here.
func (r *Rotation) Confirm(ctx context.Context) error {
	cm, err := r.Client.CoreV1().ConfigMaps(r.Namespace).Get(ctx, ConfigMapName, metav1.GetOptions{})
	known := r.state.Load()
	switch {
	case apierrors.IsNotFound(err) && known == nil:
		return nil
	case err != nil:
		return err
	case known == nil || known.version != cm.ResourceVersion:
		return fmt.Errorf("configmap %s/%s has changed, and it is not known how", r.Namespace, ConfigMapName)
	}
	return nil
}

// wake fills a slot.
func wake(slot chan<- struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}
