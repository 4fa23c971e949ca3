package survey

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/osm-edge/osm/cmd/internal/check"
)

// registries finds out which namespaces have the Secrets that images are pulled
// with, by their metadata alone.
func (s *Survey) registries(ctx context.Context, snapshot *check.Snapshot) error {
	snapshot.Pulling = map[string][]string{}
	secrets := s.metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets"))
	for _, name := range snapshot.PullSecrets() {
		options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()}
		list, err := secrets.List(ctx, options)
		if err != nil {
			return fmt.Errorf("list secrets: %w", err)
		}
		for _, secret := range list.Items {
			snapshot.Pulling[name] = append(snapshot.Pulling[name], secret.Namespace)
		}
	}
	return nil
}
