package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/event"
)

const (
	// eventTimeout bounds the wait for the API server: the next change may be
	// there.
	eventTimeout = 10 * time.Second
)

// events writes Events about MeshRootCertificates.
type events struct {
	writer event.Writer
	logger *slog.Logger
}

// happening is what an Event tells.
type happening struct {
	action, reason string
	warning        bool
	root           string                  // the MeshRootCertificate; the mesh when empty
	related        *corev1.ObjectReference // what it is about beside that
	note           string
}

func newEvents(o *options, client kubernetes.Interface, logger *slog.Logger) *events {
	return &events{
		writer: event.Writer{
			Client: client.EventsV1().Events(o.Namespace), Namespace: o.Namespace,
			Component: name, Instance: o.replica, Labels: manifests.Labels(o.MeshName, component.Version()),
		},
		logger: logger,
	}
}

// write writes an Event. One that cannot be written is given up: it is in the
// log and in the metrics, too.
func (e *events) write(ctx context.Context, about happening) {
	limited, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	if err := e.writer.Write(limited, e.of(about)); err != nil && ctx.Err() == nil {
		e.logger.Error("cannot write an Event", "reason", about.reason, "error", err)
	}
}

// announce tells how the rotation of roots goes on.
func (e *events) announce(ctx context.Context, a rotation.Announcement) {
	e.write(ctx, happening{action: "RotateRoot", reason: a.Reason, warning: a.Warning, root: a.Source, note: a.Note})
}

// warn tells what needs attention of an authority that can be used.
func (e *events) warn(ctx context.Context, authority, reason, note string) {
	if reason == v1.ReasonRootsRefused {
		reason = "RootRefused" // each by itself
	}
	e.write(ctx, happening{action: "ReadRoots", reason: reason, warning: true, root: authority, note: note})
}

// ignored tells of what is passed over in PEM that an operator has given.
func (e *events) ignored(ctx context.Context, authority, note string) {
	e.write(ctx, happening{action: "ReadRoots", reason: "TextIgnored", root: authority, note: note})
}

func (e *events) of(about happening) event.Event {
	regarding := corev1.ObjectReference{
		APIVersion: v1.GroupVersion.String(), Kind: "MeshRootCertificate", Namespace: e.writer.Namespace, Name: about.root,
	}
	if about.root == "" {
		regarding.Kind, regarding.Name = "MeshConfig", v1.MeshConfigName
	}
	return event.Event{
		Action: about.action, Reason: about.reason, Warning: about.warning,
		Regarding: regarding, Related: about.related, Note: about.note,
	}
}

func bounded(text string, bytes int) string {
	return strings.ToValidUTF8(text[:min(len(text), bytes)], "") // no half of a letter
}
