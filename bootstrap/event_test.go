package bootstrap

import (
	"crypto/x509"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/event"
	"github.com/osm-edge/osm/test/testkit"
)

// report reports the refusals and returns the Events that are there then.
func report(t *testing.T, refusals ...*rootsecret.RefusedError) []eventsv1.Event {
	t.Helper()
	client := fake.NewClientset().EventsV1().Events("osm-system")
	events := &Events{Writer: event.Writer{Client: client, Namespace: "osm-system", Instance: "osm-bootstrap-0", Labels: meshLabels}}
	for _, refused := range refusals {
		if err := events.Refused(t.Context(), refused); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func refusal(problem string) *rootsecret.RefusedError {
	return &rootsecret.RefusedError{Namespace: "osm-system", Name: "osm-ca-bundle", Key: "ca.crt", Problem: problem, Fix: "delete it"}
}

func TestARefusalIsAnEventOfTheSecret(t *testing.T) {
	events := report(t, refusal("it is missing"))
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	written := events[0]
	want := corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: "osm-system", Name: "osm-ca-bundle"}
	if written.Regarding != want || written.Namespace != "osm-system" || written.Type != corev1.EventTypeWarning || written.Reason != "RootRefused" {
		t.Errorf("event %+v", written)
	}
	if written.Note != refusal("it is missing").Error() {
		t.Errorf("the note is %q", written.Note)
	}
	// What events.k8s.io/v1 requires beside.
	if written.EventTime.IsZero() || written.ReportingController == "" || written.ReportingInstance != "osm-bootstrap-0" || written.Action == "" {
		t.Errorf("event %+v", written)
	}
	if !maps.Equal(written.Labels, meshLabels) {
		t.Errorf("labels %v", written.Labels)
	}
}

func TestARefusalIsSaidOnce(t *testing.T) {
	if n := len(report(t, refusal("it is missing"), refusal("it is missing"), refusal("it has expired"))); n != 2 {
		t.Errorf("%d events, want one for each problem", n)
	}
}

func TestANoteIsCutWhereTheAPIServerTakesIt(t *testing.T) {
	for _, lead := range []string{"", ".", ".."} {
		note := report(t, refusal(lead+strings.Repeat("語", 2000)))[0].Note
		if len(note) > 1024 || len(note) < 1000 || !utf8.ValidString(note) {
			t.Errorf("a note of %d bytes, valid UTF-8 %t", len(note), utf8.ValidString(note))
		}
	}
}

func TestAReportThatFailsDoesNotHideTheRefusal(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errForbidden
	})
	m := newMesh(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-ca-bundle"}})
	m.Reporter = &Events{Writer: event.Writer{Client: client.EventsV1().Events("osm-system"), Namespace: "osm-system"}}
	err := m.Once(t.Context())
	for _, want := range []string{"osm-ca-bundle is refused", "report the refusal: forbidden"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

func TestARenewalIsAnEventOfTheSecret(t *testing.T) {
	client := fake.NewClientset().EventsV1().Events("osm-system")
	events := &Events{Writer: event.Writer{Client: client, Namespace: "osm-system", Instance: "osm-bootstrap-0", Labels: meshLabels}}
	if err := events.Renewed(t.Context(), "osm-ca-bundle", testkit.CA(t).Root()); err != nil {
		t.Fatal(err)
	}
	list, err := client.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d events, error %v", len(list.Items), err)
	}
	written := list.Items[0]
	if written.Reason != "RootRenewed" || written.Type != corev1.EventTypeNormal || written.Regarding.Name != "osm-ca-bundle" {
		t.Errorf("event %+v", written)
	}
}

func TestThatARootExpiresIsSaidOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		events := &Events{Writer: event.Writer{Client: client.EventsV1().Events("osm-system"), Namespace: "osm-system", Labels: meshLabels}}
		first, second := testkit.CA(t).Root(), testkit.CA(t).Root()
		for hour := range 49 {
			for _, root := range []*x509.Certificate{first, second, first} {
				if err := events.Expiring(t.Context(), "osm-ca-bundle", root); err != nil {
					t.Fatal(err)
				}
			}
			// The API server forgets an Event within hours.
			if err := client.EventsV1().Events("osm-system").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
				t.Fatal(err)
			}
			if hour < 48 {
				time.Sleep(time.Hour)
			}
		}
		created := 0
		for _, action := range client.Actions() {
			if action.GetVerb() == "create" {
				created++
			}
		}
		if created != 2*3 {
			t.Errorf("%d events in three days, want 6 for two roots", created)
		}
	})
}
