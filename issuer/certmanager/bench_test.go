package certmanager_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	// atOnce is how many certificates are under way, on both sides.
	atOnce = 8
	// batch is how many one side makes before it is the other's turn.
	batch  = 50
	rounds = 6
)

// BenchmarkIssue makes certificates through a Manager and, in turn with it,
// drives cert-manager bare: requests that are created, watched and deleted, all
// for one key. The ratio of their rates is to be at least 0.9.
func BenchmarkIssue(b *testing.B) {
	m := newMesh(b)
	manager := issuer.NewManager(issuer.Options{})
	roots := trustbundle.New(m.root)
	i := m.newIssuer(b, func(o *certmanager.Options) { // its user watches the secret
		o.Roots = func(context.Context) (trustbundle.TrustBundle, error) { return roots, nil }
		var err error
		o.Client, err = certmanager.NewClient(config)
		must(b, err)
	})
	issuertest.Trust(b, manager, "osm-ca", i)
	driver := m.newDriver(b)
	must(b, driver.drive(b.Context()))
	_, err := manager.IssueCertificate(b.Context(), newIdentity(b, "first"))
	must(b, err)
	var n int
	var ours, bare []time.Duration
	var oursTook, bareTook time.Duration
	for b.Loop() {
		for range rounds {
			took, each := measure(func(int) error { return driver.drive(b.Context()) })
			bareTook, bare = bareTook+took, append(bare, each...)
			took, each = measure(func(i int) error {
				_, err := manager.IssueCertificate(b.Context(), newIdentity(b, fmt.Sprint("bookstore-", n, "-", i)))
				if err != nil {
					b.Error(err)
				}
				return err
			})
			oursTook, ours = oursTook+took, append(ours, each...)
			n++
		}
	}
	b.ReportMetric(float64(bareTook)/float64(oursTook), "ratio")
	b.ReportMetric(float64(len(ours))/oursTook.Seconds(), "certificates/s")
	b.ReportMetric(float64(len(bare))/bareTook.Seconds(), "bare/s")
	for _, p := range []int{50, 99} {
		b.ReportMetric(percentile(ours, p), fmt.Sprintf("p%d-ms", p))
		b.ReportMetric(percentile(bare, p), fmt.Sprintf("bare-p%d-ms", p))
	}
	b.ReportMetric(0, "ns/op")
}

// measure does it for a batch, and returns how long all and each took.
func measure(do func(i int) error) (took time.Duration, each []time.Duration) {
	each = make([]time.Duration, batch)
	work := make(chan int)
	var workers sync.WaitGroup
	begun := time.Now()
	for range atOnce {
		workers.Go(func() {
			for i := range work {
				started := time.Now()
				if do(i) == nil {
					each[i] = time.Since(started)
				}
			}
		})
	}
	for i := range batch {
		work <- i
	}
	close(work)
	workers.Wait()
	return time.Since(begun), each
}

func percentile(each []time.Duration, p int) float64 {
	slices.Sort(each)
	return float64(each[(len(each)-1)*p/100].Microseconds()) / 1000
}

// driver drives cert-manager with nothing between.
type driver struct {
	requests dynamic.ResourceInterface
	template *unstructured.Unstructured

	mu    sync.Mutex
	ready map[string]chan struct{}
}

func (m *mesh) newDriver(b *testing.B) *driver {
	csr, err := newRequest(b).CSR()
	must(b, err)
	d := &driver{requests: m.requests(), ready: map[string]chan struct{}{}, template: &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": map[string]any{"labels": map[string]any{"driven": "bare"}},
		"spec": map[string]any{
			"request":   base64.StdEncoding.EncodeToString(pemOf("CERTIFICATE REQUEST", csr)),
			"issuerRef": map[string]any{"name": "osm-ca"},
		},
	}}}
	watch, err := d.requests.Watch(b.Context(), metav1.ListOptions{LabelSelector: "driven=bare"})
	must(b, err)
	b.Cleanup(watch.Stop)
	go func() {
		for event := range watch.ResultChan() {
			if request, ok := event.Object.(*unstructured.Unstructured); ok && conditionHolds(request, "Ready") {
				d.done(request.GetName())
			}
		}
	}()
	return d
}

func (d *driver) done(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ready := d.ready[name]; ready != nil {
		close(ready)
		delete(d.ready, name)
	}
}

func (d *driver) drive(ctx context.Context) error {
	request, ready := d.template.DeepCopy(), make(chan struct{})
	d.mu.Lock()
	request.SetName(fmt.Sprintf("bare-%p", ready))
	d.ready[request.GetName()] = ready
	d.mu.Unlock()
	if _, err := d.requests.Create(ctx, request, metav1.CreateOptions{}); err != nil {
		return err
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	return d.requests.Delete(ctx, request.GetName(), metav1.DeleteOptions{})
}
