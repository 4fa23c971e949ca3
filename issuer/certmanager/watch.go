package certmanager

import (
	"context"
	"log/slog"
	"sync"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/typed/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/follow"
)

// watcher hands what becomes of a request to the one who waits for it.
type watcher struct {
	followed *follow.Follower[*cmapi.CertificateRequest]
	logger   *slog.Logger

	mu       sync.Mutex
	expected map[string]chan *cmapi.CertificateRequest // by name; one slot: the latest, nil for one that was deleted
	failure  error                                     // of following them, since it last saw anything
	failed   chan struct{}                             // closed with the first
}

// newWatcher watches the requests with those labels: see run.
func newWatcher(client cmclient.CertificateRequestInterface, selector string, logger *slog.Logger) *watcher {
	w := &watcher{
		logger:   logger,
		expected: map[string]chan *cmapi.CertificateRequest{},
		failed:   make(chan struct{}),
	}
	w.followed = follow.New[*cmapi.CertificateRequest](client, follow.Options{
		Labels: selector, Transform: answer, Failed: w.fail,
	})
	w.followed.On(
		func(request *cmapi.CertificateRequest) { w.hand(request.Name, request) },
		func(request *cmapi.CertificateRequest) { w.hand(request.Name, nil) })
	return w
}

// answer keeps of a request what has become of it.
func answer(object any) (any, error) {
	request, ok := object.(*cmapi.CertificateRequest)
	if !ok {
		return object, nil
	}
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Name, ResourceVersion: request.ResourceVersion},
		Spec:       cmapi.CertificateRequestSpec{IssuerRef: request.Spec.IssuerRef},
		Status:     cmapi.CertificateRequestStatus{Conditions: request.Status.Conditions, Certificate: request.Status.Certificate},
	}, nil
}

func (w *watcher) run(ctx context.Context) { _ = w.followed.Run(ctx) } // never fails

// synced waits until requests are watched, or cannot be.
func (w *watcher) synced(ctx context.Context) error {
	synced := w.followed.Done()
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

// trouble returns what has kept requests from being watched since it last saw
// anything.
func (w *watcher) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

func (w *watcher) fail(err error) {
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
func (w *watcher) expect(name string) <-chan *cmapi.CertificateRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := make(chan *cmapi.CertificateRequest, 1)
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

// hand replaces what lies in the slot. The lock makes it the only sender, so
// that the second send finds room.
func (w *watcher) hand(name string, request *cmapi.CertificateRequest) {
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
