package main

import (
	"log/slog"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/webhook"
)

// Sidecars need not do without osm-controller because settings cannot be changed.
func TestAWebhookWithoutCertificateIsAWarning(t *testing.T) {
	source := webhook.NewSecretSource(webhook.SecretSourceOptions{Namespace: "osm-system", Name: validatorSecret, ServerName: "osm-validator.osm-system.svc"})
	c := &controller{manager: issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)}), validated: source}
	if err := awaited(source); err == nil || len(c.warnings()) > 0 {
		t.Errorf("before there is one: %v, warnings %q", err, c.warnings())
	}
	garbage := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: validatorSecret}, Type: corev1.SecretTypeTLS}
	if err := source.Set(garbage); err == nil {
		t.Fatal("garbage is taken")
	}
	if err := awaited(source); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if warnings := c.warnings(); len(warnings) != 1 || !strings.Contains(warnings[0], "MeshRootCertificates cannot be changed: ") || !strings.Contains(warnings[0], "osm-validator-tls") {
		t.Errorf("warnings %q", warnings)
	}
}
