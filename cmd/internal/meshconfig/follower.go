package meshconfig

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

// reportRetry is the pause after a report that failed.
const reportRetry = 5 * time.Second

// Options configures a Follower.
type Options struct {
	Client dynamic.Interface
	// Namespace is the mesh namespace.
	Namespace string
	// Level is set to the log level that the MeshConfig says. What it is at
	// first is the level when that says none.
	Level *slog.LevelVar
	// Apply makes settings count, nil for those that the daemon was started
	// with. What it refuses leaves everything as it is. Default: the log level
	// is all that counts.
	Apply func(*v1.MeshConfig) error
	// Overruled names the flags, beside -log-level, that settings take precedence
	// over. Default: none.
	Overruled func(*v1.MeshConfig) []string
	// Report tells of an object whether it counts, and why it does not. It is
	// called again after an error. Default: none.
	Report func(ctx context.Context, object *unstructured.Unstructured, invalid error) error
	Logger *slog.Logger
}

// Follower has the settings of a daemon follow the mesh's MeshConfig. One that
// is invalid changes nothing: the last that was valid goes on to count. Without
// any, and as long as the cluster does not know MeshConfigs, those count that
// the daemon was started with.
type Follower struct {
	options Options
	first   slog.Level
	latest  chan *unstructured.Unstructured // one slot; nil for one that is gone
	failed  chan struct{}                   // one slot
	known   atomic.Bool
	last    result // of Run alone
}

// NewFollower returns a Follower: see Run.
func NewFollower(o Options) *Follower {
	if o.Apply == nil {
		o.Apply = func(*v1.MeshConfig) error { return nil }
	}
	if o.Overruled == nil {
		o.Overruled = func(*v1.MeshConfig) []string { return nil }
	}
	if o.Report == nil {
		o.Report = func(context.Context, *unstructured.Unstructured, error) error { return nil }
	}
	return &Follower{
		options: o,
		first:   o.Level.Level(),
		latest:  make(chan *unstructured.Unstructured, 1),
		failed:  make(chan struct{}, 1),
	}
}

// Known tells whether the settings count that are to: the API server has said
// what the MeshConfig is, or that it cannot say.
func (f *Follower) Known() bool { return f.known.Load() }

// Run follows the MeshConfig until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	object := f.object()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = object.Run(ctx) // never fails
	}()
	f.follow(ctx, object.Done())
	<-watched
	return nil
}

func (f *Follower) follow(ctx context.Context, synced <-chan struct{}) {
	var object *unstructured.Unstructured
	var retry <-chan time.Time
	for {
		select {
		case object = <-f.latest:
			f.use(object)
		case <-synced: // whatever was there is in the slot
			synced = nil
			select {
			case object = <-f.latest:
				f.use(object)
				f.known.Store(true)
			default:
				f.known.Store(true)
				continue
			}
		case <-f.failed:
			f.known.Store(true)
			continue
		case <-retry:
		case <-ctx.Done():
			return
		}
		retry = f.report(ctx, object)
	}
}

// use makes an object count, or the settings at first if there is none. What is
// wrong is logged once: an object is often seen again, with another status.
func (f *Follower) use(object *unstructured.Unstructured) {
	if f.last.of(object) {
		return
	}
	config, err := read(object)
	if err == nil {
		err = f.options.Apply(config)
	}
	f.last = newResult(object, err)
	switch {
	case err != nil:
		f.options.Logger.Error("the MeshConfig is invalid; the settings stay as they are", "generation", f.last.generation, "error", err)
	case config == nil:
		f.options.Level.Set(f.first)
		f.options.Logger.Info("the MeshConfig is gone; the settings are those at the start again")
	default:
		f.options.Level.Set(logLevel(config, f.first))
		f.options.Logger.Info("the settings are those of the MeshConfig", "generation", f.last.generation)
		if flags := f.overruled(config); len(flags) > 0 {
			f.options.Logger.Warn("the MeshConfig takes precedence over flags that differ from it", "flags", flags)
		}
	}
}

func (f *Follower) overruled(config *v1.MeshConfig) []string {
	flags := f.options.Overruled(config)
	if f.options.Level.Level() != f.first {
		flags = append(flags, "-log-level")
	}
	return flags
}

func read(object *unstructured.Unstructured) (*v1.MeshConfig, error) {
	if object == nil {
		return nil, nil
	}
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return validate.ReadMeshConfig(raw)
}

// logLevel is the control plane's: what the MeshConfig says, if it does.
func logLevel(config *v1.MeshConfig, otherwise slog.Level) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(config.Spec.Observability.LogLevel)); err != nil {
		return otherwise // it is empty: others are invalid
	}
	return level
}

// report returns when to try again, if that is to be.
func (f *Follower) report(ctx context.Context, object *unstructured.Unstructured) <-chan time.Time {
	if object == nil {
		return nil
	}
	err := f.options.Report(ctx, object, f.last.err)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	f.options.Logger.Warn("cannot write the status of the MeshConfig; will try again", "error", err)
	return time.After(reportRetry)
}
