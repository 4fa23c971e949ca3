package bootstrap

import (
	"context"
	"crypto/sha256"
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
	// Instance names the reporting process, for example its Pod.
	Instance string
	// Labels are given to the Events.
	Labels map[string]string
}

// Refused implements Reporter. What was said before, and is not forgotten by
// the API server yet, is not said again.
func (e *Events) Refused(ctx context.Context, refused *rootsecret.RefusedError) error {
	note := refused.Error()
	sum := sha256.Sum256([]byte(note))
	event := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: refused.Namespace,
			Name:      refused.Name + "." + hex.EncodeToString(sum[:8]),
			Labels:    e.Labels,
		},
		EventTime:           metav1.NewMicroTime(time.Now()),
		ReportingController: "openservicemesh.io/osm-bootstrap",
		ReportingInstance:   e.Instance,
		Action:              "AdoptRoot",
		Reason:              "RootRefused",
		Type:                corev1.EventTypeWarning,
		Regarding:           corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: refused.Namespace, Name: refused.Name},
		Note:                strings.ToValidUTF8(note[:min(len(note), maxNote)], ""), // no half of a letter
	}
	_, err := e.Client.Create(ctx, event, metav1.CreateOptions{})
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
