// Package event writes Events of the mesh namespace: the one way in which
// components tell the mesh's operator of what has happened. It must not know what
// they tell.
package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedeventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
)

// maxNote is the longest note that the API server takes, in bytes.
const maxNote = 1024

// Writer writes Events. Client, Namespace and Component are required.
type Writer struct {
	Client typedeventsv1.EventInterface
	// Namespace is that of the client.
	Namespace string
	// Component is the reporting program, such as osm-controller, and Instance the
	// process, such as the name of its Pod.
	Component, Instance string
	// Labels are given to the Events.
	Labels map[string]string
}

// Event is what one tells.
type Event struct {
	Action, Reason string
	// Warning has it be one; it is Normal otherwise.
	Warning   bool
	Regarding corev1.ObjectReference
	// Related is what it is about beside that, if anything.
	Related *corev1.ObjectReference
	// Note is cut to what the API server takes.
	Note string
	// Once has it not be written while the API server has one of the same note.
	Once bool
}

// Write writes an Event. client-go's tools/events would drop the note of an Event
// that comes within six minutes of another with the same action, reason and object.
func (w *Writer) Write(ctx context.Context, e Event) error {
	object := &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: w.Namespace, GenerateName: e.Regarding.Name + "-", Labels: w.Labels},
		EventTime:           metav1.NewMicroTime(time.Now()),
		ReportingController: "openservicemesh.io/" + w.Component,
		ReportingInstance:   w.Instance,
		Action:              e.Action,
		Reason:              e.Reason,
		Type:                corev1.EventTypeNormal,
		Regarding:           e.Regarding,
		Related:             e.Related,
		Note:                strings.ToValidUTF8(e.Note[:min(len(e.Note), maxNote)], ""), // no half of a letter
	}
	if e.Warning {
		object.Type = corev1.EventTypeWarning
	}
	if e.Once {
		sum := sha256.Sum256([]byte(e.Note))
		object.GenerateName, object.Name = "", e.Regarding.Name+"."+hex.EncodeToString(sum[:8])
	}
	_, err := w.Client.Create(ctx, object, metav1.CreateOptions{})
	if e.Once && apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
