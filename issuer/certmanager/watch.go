package certmanager

import (
	"context"
	"log/slog"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// watcher hands what becomes of a request to the one who waits for it.
type watcher struct {
	informer cache.SharedIndexInformer
	logger   *slog.Logger

	mu       sync.Mutex
	expected map[string]chan *certificateRequest // by name; one slot: the latest, nil for one that was deleted
	failure  error                               // of the informer, since it last saw anything
	failed   chan struct{}                       // closed with the first
}

// newWatcher watches the requests with those labels: see run.
func newWatcher(client *requestClient, selector string, logger *slog.Logger) (*watcher, error) {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = selector
			return client.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = selector
			return client.Watch(ctx, o)
		},
	}
	w := &watcher{
		informer: cache.NewSharedIndexInformer(source, &certificateRequest{}, 0, cache.Indexers{}),
		logger:   logger,
		expected: map[string]chan *certificateRequest{},
		failed:   make(chan struct{}),
	}
	if err := w.informer.SetWatchErrorHandlerWithContext(w.fail); err != nil {
		return nil, err
	}
	_, err := w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    w.changed,
		UpdateFunc: func(_, request any) { w.changed(request) },
		DeleteFunc: w.deleted,
	})
	return w, err
}

func (w *watcher) run(ctx context.Context) { w.informer.RunWithContext(ctx) }

// synced waits until requests are watched, or cannot be.
func (w *watcher) synced(ctx context.Context) error {
	synced := w.informer.HasSyncedChecker().Done()
	select {
	case <-synced:
		return nil
	default:
	}
	select {
	case <-synced:
		return nil
	case <-w.failed:
		return w.trouble()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// trouble returns what has kept the informer from watching since it last saw
// anything.
func (w *watcher) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

func (w *watcher) fail(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil {
		return
	}
	w.logger.Warn("cannot watch certificate requests; will try again", "error", err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		close(w.failed)
	}
	w.failure = err
}

// expect returns where the states of the request of that name come, until
// forget.
func (w *watcher) expect(name string) <-chan *certificateRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make(chan *certificateRequest, 1)
	w.expected[name] = states
	return states
}

func (w *watcher) forget(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.expected, name)
}

// expects reports whether a caller waits for the request.
func (w *watcher) expects(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expected[name] != nil
}

func (w *watcher) changed(object any) {
	if request, ok := object.(*certificateRequest); ok {
		w.hand(request.Name, request)
	}
}

func (w *watcher) deleted(object any) {
	if key, err := cache.DeletionHandlingObjectToName(object); err == nil {
		w.hand(key.Name, nil)
	}
}

// hand replaces what lies in the slot. The lock makes it the only sender, so
// that the second send finds room.
func (w *watcher) hand(name string, request *certificateRequest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = nil
	states := w.expected[name]
	if states == nil {
		return
	}
	select {
	case <-states:
	default:
	}
	states <- request
}
