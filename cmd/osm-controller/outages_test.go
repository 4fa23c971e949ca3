package main

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/render"
	"github.com/osm-edge/osm/webhook"
)

// sealable is an issuer that can be away.
type sealable struct {
	*tresor.CA
	sealed atomic.Pointer[error]
}

func (s *sealable) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if err := s.sealed.Load(); err != nil {
		return nil, *err
	}
	return s.CA.Issue(ctx, req, ttl)
}

// outageOf returns the Events of an outage of an hour in which the issuer fails
// like that.
func outageOf(t *testing.T, failure error) (events []eventsv1.Event) {
	t.Helper()
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset()
	client.PrependReactor("create", "events", func(action clienttesting.Action) (bool, runtime.Object, error) {
		event := action.(clienttesting.CreateAction).GetObject().(*eventsv1.Event)
		events = append(events, *event)
		return true, event, nil
	})
	synctest.Test(t, func(t *testing.T) {
		root, key, err := tresor.NewRoot()
		if err != nil {
			t.Fatal(err)
		}
		ca, err := tresor.New(root, key)
		if err != nil {
			t.Fatal(err)
		}
		away := &sealable{CA: ca}
		away.sealed.Store(&failure)
		manager := issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)})
		issuertest.Trust(t, manager, "vault", away)
		c := &controller{manager: manager, validated: webhook.NewSecretSource(webhook.SecretSourceOptions{})}
		c.outages = &outages{manager.HealthChanges(), func() {}, newEvents(o, client, slog.New(slog.DiscardHandler))}
		stop := start(t, manager.Run, c.outages.Run)
		defer stop()
		id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Subscribe(id).Close()

		<-time.After(time.Hour)
		if warnings := c.warnings(); len(warnings) != 1 || !strings.Contains(warnings[0], failure.Error()) {
			t.Errorf("warnings %q", warnings)
		}
		away.sealed.Store(nil)
		<-time.After(time.Minute)
		if warnings := c.warnings(); len(warnings) > 0 {
			t.Errorf("after the outage, warnings %q", warnings)
		}
	})
	return events
}

// start runs all until stop, which waits for them.
func start(t *testing.T, runs ...func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for _, run := range runs {
		go func() { ended <- run(ctx) }()
	}
	return func() {
		cancel()
		for range runs {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAnOutageIsAnEventAndItsEndAnother(t *testing.T) {
	events := outageOf(t, errors.New("vault is sealed"))
	if len(events) != 2 {
		t.Fatalf("%d Events", len(events))
	}
	hostname, err := os.Hostname() // the default of -replica
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ kind, reason, note string }{
		{"Warning", "IssuerFails", `the issuer of root "vault" fails since 2000-01-01T00:00:00Z; what it certified is served as long as it is valid; the last failure is: vault is sealed`},
		{"Normal", "IssuerWorks", `the issuer of root "vault" works; the outage of root "vault" since 2000-01-01T00:00:00Z is over`},
	}
	regarding := corev1.ObjectReference{APIVersion: "config.openservicemesh.io/v1", Kind: "MeshRootCertificate", Namespace: "osm-system", Name: "vault"}
	for i, event := range events {
		if event.Type != want[i].kind || event.Reason != want[i].reason || event.Note != want[i].note {
			t.Errorf("event %s %s: %s", event.Type, event.Reason, event.Note)
		}
		if event.Regarding != regarding || event.Namespace != "osm-system" || event.ReportingInstance != hostname {
			t.Errorf("event %+v", event)
		}
		// What events.k8s.io/v1 requires beside.
		if event.EventTime.IsZero() || event.ReportingController == "" || event.Action == "" {
			t.Errorf("event %+v", event)
		}
		if !maps.Equal(event.Labels, manifests.Labels("osm", component.Version())) {
			t.Errorf("labels %v", event.Labels)
		}
	}
}

func TestTheNoteOfAnOutageIsNotLongerThanTheAPIServerTakes(t *testing.T) {
	events := outageOf(t, errors.New(strings.Repeat("versiegelt ist’s ", 100)))
	if n := len(events[0].Note); n > 1024 || n < 1000 || !utf8.ValidString(events[0].Note) {
		t.Errorf("the note has %d bytes, and ends in %q", n, events[0].Note[n-10:])
	}
}

func TestTheChartLetsItWriteEvents(t *testing.T) {
	objects, err := render.Chart(render.Options{Namespace: "osm-system"})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		role := &rbacv1.Role{}
		if object.GetKind() != "Role" || object.GetName() != name {
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			if slices.Contains(rule.APIGroups, "events.k8s.io") && slices.Contains(rule.Resources, "events") {
				if !slices.Equal(rule.Verbs, []string{"create"}) {
					t.Errorf("it may %q events", rule.Verbs)
				}
				return
			}
		}
	}
	t.Error("its Role does not")
}

func TestTheEndOfAnOutageNamesNoRootThatIsNone(t *testing.T) {
	since := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	before := issuer.Health{Root: "vault", Open: true, Since: since, Err: errors.New("sealed")}
	for want, after := range map[string]issuer.Health{
		`no root signs; the outage of root "vault" since 2026-11-29T12:00:00Z is over`:                   {},
		`the issuer of root "next" works; the outage of root "vault" since 2026-11-29T12:00:00Z is over`: {Root: "next"},
	} {
		if got := outage(before, after).note; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
