package bootstrap

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedeventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
)

// maxNote is the longest note that the API server takes, in bytes.
const maxNote = 1024

// Events reports by Events of the mesh namespace. It implements Reporter.
type Events struct {
	Client typedeventsv1.EventInterface
	// Namespace is that of the client.
	Namespace string
	// Instance names the reporting process, for example its Pod.
	Instance string
	// Labels are given to the Events.
	Labels map[string]string

	lastDay map[string]string // on which an end was told of, by the note
}

// Refused implements Reporter. What was said before, and is not forgotten by
// the API server yet, is not said again.
func (e *Events) Refused(ctx context.Context, refused *rootsecret.RefusedError) error {
	return e.tell(ctx, refused.Name, refused.Error(), eventsv1.Event{
		Action: "AdoptRoot", Reason: "RootRefused", Type: corev1.EventTypeWarning,
	})
}

// Renewed implements Reporter.
func (e *Events) Renewed(ctx context.Context, secret string, old *x509.Certificate) error {
	note := fmt.Sprintf("root %s is replaced by a new one: it would have ended at %s", nameOf(old), old.NotAfter.UTC().Format(time.RFC3339))
	return e.tell(ctx, secret, note, eventsv1.Event{
		Action: "RenewRoot", Reason: "RootRenewed", Type: corev1.EventTypeNormal,
	})
}

// Expiring implements Reporter. The API server forgets an Event within the day
// that it is not to be told again.
func (e *Events) Expiring(ctx context.Context, secret string, root *x509.Certificate) error {
	note := fmt.Sprintf("root %s ends at %s, and the mesh does not renew it: replace it before; osm ca rotate --osm-namespace %s does, or says how", nameOf(root), root.NotAfter.UTC().Format(time.RFC3339), e.Namespace)
	today := time.Now().UTC().Format(time.DateOnly)
	if e.lastDay[note] == today {
		return nil
	}
	err := e.tell(ctx, secret, note, eventsv1.Event{
		Action: "KeepRoot", Reason: "RootExpiring", Type: corev1.EventTypeWarning,
	})
	if err == nil {
		if e.lastDay == nil {
			e.lastDay = map[string]string{}
		}
		e.lastDay[note] = today
	}
	return err
}

// nameOf tells roots of one subject apart.
func nameOf(root *x509.Certificate) string {
	return fmt.Sprintf("%q with serial number %s", root.Subject, root.SerialNumber.Text(16))
}

// tell creates an Event of the Secret, unless there is one that says the same.
func (e *Events) tell(ctx context.Context, secret, note string, event eventsv1.Event) error {
	sum := sha256.Sum256([]byte(note))
	event.Namespace, event.Name, event.Labels = e.Namespace, secret+"."+hex.EncodeToString(sum[:8]), e.Labels
	event.EventTime = metav1.NewMicroTime(time.Now())
	event.ReportingController, event.ReportingInstance = "openservicemesh.io/osm-bootstrap", e.Instance
	event.Regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: e.Namespace, Name: secret}
	event.Note = strings.ToValidUTF8(note[:min(len(note), maxNote)], "") // no half of a letter
	_, err := e.Client.Create(ctx, &event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reportRefusal reports err if it is a refusal of the named Secret, and returns
// it with whatever came of that.
func (b *Bootstrap) reportRefusal(ctx context.Context, name string, err error) error {
	var refused *rootsecret.RefusedError
	if !errors.As(err, &refused) {
		return fmt.Errorf("root secret %s/%s: %w", b.MeshNamespace, name, err)
	}
	if reportErr := b.Reporter.Refused(ctx, refused); reportErr != nil {
		return errors.Join(err, fmt.Errorf("report the refusal: %w", reportErr))
	}
	return err
}
