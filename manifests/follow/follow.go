// Package follow keeps a copy of one object of the cluster, or of the objects of
// one kind, as the API server has them: the one way in which this module lists and
// watches. It must not know what objects mean.
package follow

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// logAgain is how long a failure that stays the same is not logged again.
const logAgain = time.Minute

// Source lists and watches the objects of one kind, as typed clients do.
type Source[L runtime.Object] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// Options say what to follow. The zero value is all that the source lists.
type Options struct {
	// Name is that of the one object to follow. Default: all.
	Name string
	// Labels select the objects, as a label selector. Default: all.
	Labels string
	// Transform reduces an object, as it is decoded, to what is kept of it.
	// Default: all of it is.
	Transform cache.TransformFunc
	// Resync is how often handlers get each object without a change. Default: never.
	Resync time.Duration
	// Failed gets what keeps the objects from being listed or watched, each time
	// that it does; it is tried again with a growing pause. It is not called once
	// the context of Run has ended. Default: it is logged once a minute.
	Failed func(error)
	// Client has made the source: fakes of clientsets tell by it that they cannot
	// stream lists. Default: the source.
	Client any
	// Logger is slog.Default when nil.
	Logger *slog.Logger
}

// Follower keeps the copy. It is safe for concurrent use, but for On.
type Follower[T runtime.Object] struct {
	informer cache.SharedIndexInformer
	handlers []cache.ResourceEventHandlerRegistration
}

// New returns a Follower of objects of type T: see Run.
func New[T, L runtime.Object](source Source[L], o Options) *Follower[T] {
	if o.Client == nil {
		o.Client = source
	}
	if o.Failed == nil {
		o.Failed = log(reflect.TypeFor[T]().Elem().Name(), o)
	}
	narrow := func(list *metav1.ListOptions) {
		list.LabelSelector = o.Labels
		if o.Name != "" {
			list.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.Name).String()
		}
	}
	watcher := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, list metav1.ListOptions) (runtime.Object, error) {
			narrow(&list)
			return source.List(ctx, list)
		},
		WatchFuncWithContext: func(ctx context.Context, list metav1.ListOptions) (watch.Interface, error) {
			narrow(&list)
			return source.Watch(ctx, list)
		},
	}
	example := reflect.New(reflect.TypeFor[T]().Elem()).Interface().(T)
	informer := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(watcher, o.Client), example, o.Resync,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	must(informer.SetTransform(o.Transform))
	must(informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		if ctx.Err() == nil && !usual(err) {
			o.Failed(err)
		}
	}))
	return &Follower[T]{informer: informer}
}

// must panics with an error that informers return only once they run.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// usual reports whether a watch ended as watches do: it was too old, or the
// connection was closed.
func usual(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF)
}

func log(kind string, o Options) func(error) {
	logger := cmp.Or(o.Logger, slog.Default())
	var last string
	var at time.Time
	return func(err error) {
		if err.Error() == last && time.Since(at) < logAgain {
			return
		}
		last, at = err.Error(), time.Now()
		logger.Warn("cannot watch objects; will try again", "kind", kind, "name", o.Name, "error", err)
	}
}

// On has changed called with each object that there is, that comes, and that
// changes; and deleted, unless it is nil, with the last state known of one that is
// gone. Calls come one after the other. It is to be called before Run.
func (f *Follower[T]) On(changed, deleted func(T)) {
	handler, err := f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { pass(object, changed) },
		UpdateFunc: func(_, object any) { pass(object, changed) },
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			pass(object, deleted)
		},
	})
	must(err)
	f.handlers = append(f.handlers, handler)
}

func pass[T any](object any, to func(T)) {
	if typed, ok := object.(T); ok && to != nil {
		to(typed)
	}
}

// Run follows the objects until ctx ends. It fails never.
func (f *Follower[T]) Run(ctx context.Context) error {
	f.informer.RunWithContext(ctx)
	return nil
}

// Synced reports whether all that was there at first is in the copy, and was given
// to the handlers.
func (f *Follower[T]) Synced() bool {
	for _, handler := range f.handlers {
		if !handler.HasSynced() {
			return false
		}
	}
	return f.informer.HasSynced()
}

// Done is closed once the first list is in the copy, and was given to the last
// handler.
func (f *Follower[T]) Done() <-chan struct{} {
	if n := len(f.handlers); n > 0 {
		return f.handlers[n-1].HasSyncedChecker().Done()
	}
	return f.informer.HasSyncedChecker().Done()
}

// Get returns the copy of an object, which is not to be changed; the namespace of
// one that has none is empty.
func (f *Follower[T]) Get(namespace, name string) (object T, ok bool) {
	item, ok, err := f.informer.GetStore().GetByKey(cache.NewObjectName(namespace, name).String())
	if err != nil || !ok {
		return object, false
	}
	object, ok = item.(T)
	return object, ok
}

// List returns the copies, in no order. They are not to be changed.
func (f *Follower[T]) List() (all []T) {
	for _, item := range f.informer.GetStore().List() {
		pass(item, func(object T) { all = append(all, object) })
	}
	return all
}

// Informer is the one beneath, for those that index it or list by its namespaces.
func (f *Follower[T]) Informer() cache.SharedIndexInformer { return f.informer }
