package meshconfig

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// meshConfig has one setting that a daemon applies, and the log level.
func meshConfig(generation int64, image, level string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"sidecar":       map[string]any{"image": image},
		"observability": map[string]any{"logLevel": level},
	}}}
	object.SetGroupVersionKind(v1.GroupVersion.WithKind("MeshConfig"))
	object.SetNamespace("osm-system")
	object.SetName(v1.MeshConfigName)
	object.SetUID(types.UID("a"))
	object.SetGeneration(generation)
	return object
}

// daemon is one that follows the MeshConfig of a fake API server.
type daemon struct {
	client   *fake.FakeDynamicClient
	objects  dynamic.ResourceInterface
	follower *Follower
	level    slog.LevelVar

	mu       sync.Mutex // of what the follower writes and the test reads
	applied  []string   // images, - for the flags'
	reported []string   // what is wrong, - for nothing
	unheard  int        // reports that fail
	log      bytes.Buffer
}

func newDaemon(objects ...runtime.Object) *daemon {
	kinds := map[schema.GroupVersionResource]string{Resource(): "MeshConfigList"}
	d := &daemon{client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)}
	d.objects = d.client.Resource(Resource()).Namespace("osm-system")
	d.level.Set(slog.LevelWarn)
	d.follower = NewFollower(Options{
		Client:    d.client,
		Namespace: "osm-system",
		Level:     &d.level,
		Apply:     d.apply,
		Report:    d.report,
		Logger:    slog.New(slog.NewTextHandler(d, nil)),
	})
	return d
}

// Write takes the log.
func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *daemon) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func (d *daemon) reports() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.reported)
}

func (d *daemon) apply(config *v1.MeshConfig) error {
	image := "-"
	if config != nil {
		image = config.Spec.Sidecar.Image
	}
	if image == "impossible" {
		return errors.New("spec.sidecar.image: impossible")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.applied = append(d.applied, image)
	return nil
}

func (d *daemon) report(_ context.Context, _ *unstructured.Unstructured, invalid error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unheard > 0 {
		d.unheard--
		return errors.New("no one hears")
	}
	text := "-"
	if invalid != nil {
		text = invalid.Error()
	}
	d.reported = append(d.reported, text)
	return nil
}

// run has the test do things while the daemon follows.
func (d *daemon) run(t *testing.T, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.follower.Run(ctx) }()
	synctest.Wait()
	do()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func (d *daemon) update(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if _, err := d.objects.Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (d *daemon) expect(t *testing.T, level slog.Level, applied ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := strings.Join(d.applied, " "); got != strings.Join(applied, " ") {
		t.Errorf("applied %s, want %s", got, applied)
	}
	if got := d.level.Level(); got != level {
		t.Errorf("the log level is %s, want %s", got, level)
	}
}

func TestSettingsFollowTheMeshConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(meshConfig(1, "a", "debug"))
		d.run(t, func() {
			if !d.follower.Known() {
				t.Error("it is not known what counts")
			}
			d.expect(t, slog.LevelDebug, "a")
			d.update(t, meshConfig(2, "b", ""))
			d.expect(t, slog.LevelWarn, "a", "b")
			if err := d.objects.Delete(t.Context(), v1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			d.expect(t, slog.LevelWarn, "a", "b", "-")
		})
	})
}

func TestAnInvalidMeshConfigChangesNothingAndIsLoggedOnce(t *testing.T) {
	tests := map[string]struct {
		image, level, want string
	}{
		"to every daemon": {"b", "loud", "spec.observability.logLevel"},
		"to this one":     {"impossible", "info", "spec.sidecar.image: impossible"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDaemon(meshConfig(1, "a", "error"))
				d.run(t, func() {
					invalid := meshConfig(2, test.image, test.level)
					d.update(t, invalid)
					invalid.SetLabels(map[string]string{"seen": "again"})
					d.update(t, invalid)
					d.expect(t, slog.LevelError, "a")
					if n := strings.Count(d.logged(), "the MeshConfig is invalid"); n != 1 || !strings.Contains(d.logged(), test.want) {
						t.Errorf("logged %d times, want once, with %s:\n%s", n, test.want, d.logged())
					}
					if len(d.reports()) != 3 || d.reports()[0] != "-" || !strings.Contains(d.reports()[2], test.want) {
						t.Errorf("reported %q", d.reports())
					}
					d.update(t, meshConfig(3, "c", ""))
					d.expect(t, slog.LevelWarn, "a", "c")
				})
			})
		})
	}
}

func TestAClusterWithoutMeshConfigsIsAskedAgainAndQuietly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(meshConfig(1, "a", ""))
		var missing atomic.Bool
		missing.Store(true)
		d.client.PrependReactor("list", "meshconfigs", func(clienttesting.Action) (bool, runtime.Object, error) {
			return missing.Load(), nil, apierrors.NewNotFound(Resource().GroupResource(), "")
		})
		d.run(t, func() {
			if !d.follower.Known() {
				t.Error("it is not known that the flags count")
			}
			d.expect(t, slog.LevelWarn)
			missing.Store(false)
			time.Sleep(time.Minute)
			synctest.Wait()
			d.expect(t, slog.LevelWarn, "a")
			if log := d.logged(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
				t.Errorf("it is not quiet:\n%s", log)
			}
		})
	})
}

func TestTheFlagsCountWhereThereIsNoMeshConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon()
		d.run(t, func() {
			if !d.follower.Known() || len(d.reports()) > 0 {
				t.Errorf("known: %t, reported %q", d.follower.Known(), d.reports())
			}
			d.expect(t, slog.LevelWarn)
		})
	})
}

func TestAReportThatFailsIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(meshConfig(1, "a", ""))
		d.unheard = 2
		d.run(t, func() {
			time.Sleep(3 * reportRetry)
			synctest.Wait()
			if len(d.reports()) != 1 {
				t.Errorf("reported %q", d.reports())
			}
			d.expect(t, slog.LevelWarn, "a")
		})
	})
}

func TestFlagsThatTheMeshConfigOverrulesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(meshConfig(1, "pipy:1", "debug"))
		d.follower.options.Overruled = func(*v1.MeshConfig) []string { return []string{"-key-algorithm"} }
		d.run(t, func() {})
		if want := `the MeshConfig takes precedence over flags that differ from it" flags="[-key-algorithm -log-level]"`; !strings.Contains(d.log.String(), want) {
			t.Errorf("it does not log %s:\n%s", want, &d.log)
		}
	})
}
