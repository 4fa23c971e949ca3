package bootstrap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/event"
)

// Events reports by Events of the mesh namespace. It implements Reporter.
type Events struct {
	event.Writer

	lastDay map[string]string // on which an end was told of, by the note
}

// Refused implements Reporter. What was said before, and is not forgotten by
// the API server yet, is not said again.
func (e *Events) Refused(ctx context.Context, refused *rootsecret.RefusedError) error {
	return e.tell(ctx, refused.Name, refused.Error(), event.Event{Action: "AdoptRoot", Reason: "RootRefused", Warning: true})
}

// Renewed implements Reporter.
func (e *Events) Renewed(ctx context.Context, secret string, old *x509.Certificate) error {
	note := fmt.Sprintf("root %s is replaced by a new one: it would have ended at %s", nameOf(old), old.NotAfter.UTC().Format(time.RFC3339))
	return e.tell(ctx, secret, note, event.Event{Action: "RenewRoot", Reason: "RootRenewed"})
}

// Expiring implements Reporter. The API server forgets an Event within the day
// that it is not to be told again.
func (e *Events) Expiring(ctx context.Context, secret string, root *x509.Certificate) error {
	note := fmt.Sprintf("root %s ends at %s, and the mesh does not renew it: replace it before; osm ca rotate --osm-namespace %s does, or prints how", nameOf(root), root.NotAfter.UTC().Format(time.RFC3339), e.Namespace)
	today := time.Now().UTC().Format(time.DateOnly)
	if e.lastDay[note] == today {
		return nil
	}
	err := e.tell(ctx, secret, note, event.Event{Action: "KeepRoot", Reason: "RootExpiring", Warning: true})
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

// tell writes an Event of the Secret, unless there is one that says the same.
func (e *Events) tell(ctx context.Context, secret, note string, about event.Event) error {
	about.Regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: e.Namespace, Name: secret}
	about.Note, about.Once = note, true
	return e.Write(ctx, about)
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
