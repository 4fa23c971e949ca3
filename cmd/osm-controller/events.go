package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedeventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer/rotation"
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

// events writes Events about MeshRootCertificates.
type events struct {
	client    typedeventsv1.EventInterface
	namespace string
	instance  string
	labels    map[string]string
	logger    *slog.Logger
}

// event is what one says.
type event struct {
	action, reason string
	warning        bool
	root           string                  // the MeshRootCertificate; the mesh when empty
	related        *corev1.ObjectReference // what it is about beside that
	note           string
}

func newEvents(o *options, client kubernetes.Interface, logger *slog.Logger) *events {
	return &events{
		client:    client.EventsV1().Events(o.Namespace),
		namespace: o.Namespace,
		instance:  o.replica,
		labels:    manifests.Labels(o.MeshName, component.Version()),
		logger:    logger,
	}
}

// write writes an Event. One that cannot be written is given up: it is in the
// log and in the metrics, too.
func (e *events) write(ctx context.Context, about event) {
	limited, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	if _, err := e.client.Create(limited, e.object(about), metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
		e.logger.Error("cannot write an Event", "reason", about.reason, "error", err)
	}
}

// announce tells how the rotation of roots goes on.
func (e *events) announce(ctx context.Context, a rotation.Announcement) {
	e.write(ctx, event{action: "RotateRoot", reason: a.Reason, warning: a.Warning, root: a.Source, note: a.Note})
}

// warn tells what needs attention of an authority that can be used.
func (e *events) warn(ctx context.Context, authority, reason, note string) {
	if reason == v1.ReasonRootsRefused {
		reason = "RootRefused" // each by itself
	}
	e.write(ctx, event{action: "ReadRoots", reason: reason, warning: true, root: authority, note: note})
}

// ignored tells of what is passed over in PEM that an operator has given.
func (e *events) ignored(ctx context.Context, authority, note string) {
	e.write(ctx, event{action: "ReadRoots", reason: "TextIgnored", root: authority, note: note})
}

func (e *events) object(about event) *eventsv1.Event {
	kind := corev1.EventTypeNormal
	if about.warning {
		kind = corev1.EventTypeWarning
	}
	regarding := corev1.ObjectReference{
		APIVersion: v1.GroupVersion.String(), Kind: "MeshRootCertificate", Namespace: e.namespace, Name: about.root,
	}
	if about.root == "" {
		regarding.Kind, regarding.Name = "MeshConfig", v1.MeshConfigName
	}
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: e.namespace, GenerateName: regarding.Name + "-", Labels: e.labels},
		EventTime:           metav1.NewMicroTime(time.Now()),
		ReportingController: "openservicemesh.io/" + name,
		ReportingInstance:   e.instance,
		Action:              about.action,
		Reason:              about.reason,
		Type:                kind,
		Regarding:           regarding,
		Related:             about.related,
		Note:                bounded(about.note, maxNote),
	}
}

func bounded(text string, bytes int) string {
	return strings.ToValidUTF8(text[:min(len(text), bytes)], "") // no half of a letter
}
