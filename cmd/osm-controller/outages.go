package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedeventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	// maxNote is the longest note that the API server takes, in bytes.
	maxNote = 1024
	// eventTimeout bounds the wait for the API server: the next change may be
	// there.
	eventTimeout = 10 * time.Second
)

// outages says in Events when the issuer begins to fail, and when that ends,
// and has it looked at. Each replica says what it finds.
type outages struct {
	changes   <-chan issuer.Health
	changed   func() // the issuer's health
	client    typedeventsv1.EventInterface
	namespace string
	instance  string
	labels    map[string]string
	logger    *slog.Logger
}

func newOutages(o *options, client kubernetes.Interface, manager *issuer.Manager, changed func(), logger *slog.Logger) (*outages, error) {
	instance, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this replica: %w", err)
	}
	return &outages{
		changes:   manager.HealthChanges(),
		changed:   changed,
		client:    client.EventsV1().Events(o.Namespace),
		namespace: o.Namespace,
		instance:  instance,
		labels:    manifests.Labels(o.MeshName, component.Version()),
		logger:    logger,
	}, nil
}

// Run writes Events until ctx ends. One that cannot be written is given up: it
// is in the log and in the metrics, too.
func (o *outages) Run(ctx context.Context) error {
	var before issuer.Health
	for {
		select {
		case <-ctx.Done():
			return nil
		case after := <-o.changes:
			o.changed()
			if after.Open == before.Open {
				continue // it changed twice
			}
			if err := o.write(ctx, o.event(before, after)); err != nil && ctx.Err() == nil {
				o.logger.Error("cannot write an Event", "error", err)
			}
			before = after
		}
	}
}

func (o *outages) write(ctx context.Context, event *eventsv1.Event) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	_, err := o.client.Create(ctx, event, metav1.CreateOptions{})
	return err
}

func (o *outages) event(before, after issuer.Health) *eventsv1.Event {
	root := after.Root
	if !after.Open {
		root = before.Root
	}
	event := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: o.namespace, GenerateName: root + "-", Labels: o.labels},
		EventTime:           metav1.NewMicroTime(time.Now()),
		ReportingController: "openservicemesh.io/" + name,
		ReportingInstance:   o.instance,
		Action:              "IssueCertificate",
		Reason:              "IssuerFails",
		Type:                corev1.EventTypeWarning,
		Regarding: corev1.ObjectReference{
			APIVersion: v1.GroupVersion.String(), Kind: "MeshRootCertificate", Namespace: o.namespace, Name: root,
		},
		Note: bounded(fmt.Sprintf("the issuer of root %q fails since %s; what it certified is served as long as it is valid; the last failure is: %v",
			after.Root, after.Since.UTC().Format(time.RFC3339), after.Err), maxNote),
	}
	if !after.Open {
		event.Reason, event.Type = "IssuerWorks", corev1.EventTypeNormal
		event.Note = bounded(fmt.Sprintf("%v; the outage of root %q since %s is over", after, before.Root, before.Since.UTC().Format(time.RFC3339)), maxNote)
	}
	return event
}

func bounded(text string, bytes int) string {
	return strings.ToValidUTF8(text[:min(len(text), bytes)], "") // no half of a letter
}
