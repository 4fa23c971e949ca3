package cluster_test

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/testkit"
)

func TestTheAPIServerReachesAWebhookByItsService(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	certificate, key := servingCertificate(t, "server."+s.namespace+".svc")
	s.expose(t, 443, 8443)
	s.registerWebhook(t, certificate)
	testkit.Await(t, "a refusal while no one answers", func() error {
		err := s.createConfigMap(t, "early")
		return unless(err != nil && strings.Contains(err.Error(), "no ready endpoint"), "got %v", err)
	})
	container := program("webhook")
	container.Env = append(container.Env, corev1.EnvVar{Name: "CERTIFICATE", Value: certificate}, corev1.EnvVar{Name: "KEY", Value: key})
	s.deploy(t, 2, container)
	testkit.Await(t, "what the webhook allows", func() error { return s.createConfigMap(t, "allowed") })
	if err := s.createConfigMap(t, "forbidden"); err == nil || !strings.Contains(err.Error(), "a name that the webhook forbids") {
		t.Errorf("got %v, want the webhook's refusal", err)
	}
}

func (s space) registerWebhook(t *testing.T, caBundle string) {
	t.Helper()
	configurations := s.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := configurations.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "names.example.org",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				CABundle: []byte(caBundle),
				Service:  &admissionregistrationv1.ServiceReference{Namespace: s.namespace, Name: "server"},
			},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (s space) createConfigMap(t *testing.T, name string) error {
	_, err := s.client.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	return err
}
