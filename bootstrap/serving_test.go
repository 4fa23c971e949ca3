package bootstrap

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/testkit"
)

const host = "osm-injector.osm-system.svc"

func TestAServingCertificateIsReplacedWhenItMust(t *testing.T) {
	ca, other := testkit.CA(t), testkit.CA(t)
	short := newShortCA(t, time.Hour)
	good := serving(t, ca, host, 90*time.Minute)
	tests := map[string]struct {
		data  map[string][]byte
		after time.Duration // how old it is
		want  string        // "" when it is kept
	}{
		"a new one is kept":                  {good, 0, ""},
		"with half its life left it is kept": {good, 45 * time.Minute, ""},
		"less than a third is left":          {good, 60 * time.Minute, "less than a third of its life is left, it ends at 20"},
		"it has expired":                     {good, 90 * time.Minute, "expired"},
		"another root signed it":             {serving(t, other, host, time.Hour), 0, "does not verify with the root"},
		"it is another host's":               {serving(t, ca, "osm-validator.osm-system.svc", time.Hour), 0, "osm-validator.osm-system.svc, not " + host},
		"it is another namespace's":          {serving(t, ca, "osm-injector.other.svc", time.Hour), 0, "osm-injector.other.svc, not " + host},
		"nothing is there":                   {nil, 0, "not a certificate and its key"},
		"the certificate is garbage":         {edited(good, corev1.TLSCertKey, []byte("garbage")), 0, "not a certificate and its key"},
		"a webhook would refuse a block":     {edited(good, corev1.TLSCertKey, append([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n"), good[corev1.TLSCertKey]...)), 0, "not a certificate and its key"},
		"the key is garbage":                 {edited(good, corev1.TLSPrivateKeyKey, []byte("garbage")), 0, "not a certificate and its key"},
		"the key is another's":               {edited(good, corev1.TLSPrivateKeyKey, serving(t, ca, host, time.Hour)[corev1.TLSPrivateKeyKey]), 0, "not a certificate and its key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			mustCheck(t, checkServing(&corev1.Secret{Data: test.data}, ca.Root(), host, time.Now().Add(test.after)), test.want)
		})
	}
	t.Run("it ends with the root, so that another would too", func(t *testing.T) {
		secret := &corev1.Secret{Data: serving(t, short, host, servingValidity)}
		mustCheck(t, checkServing(secret, short.Root(), host, time.Now().Add(59*time.Minute)), "")
	})
}

func mustCheck(t *testing.T, reason error, want string) {
	t.Helper()
	if want == "" && reason != nil || want != "" && (reason == nil || !strings.Contains(reason.Error(), want)) {
		t.Errorf("the reason is %v, want %q", reason, want)
	}
}

func edited(data map[string][]byte, key string, value []byte) map[string][]byte {
	data = maps.Clone(data)
	data[key] = value
	return data
}

func TestEveryWebhookGetsAServingCertificate(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	want := []string{"osm-injector-tls", "osm-validator-tls", "osm-bootstrap-tls"}
	if got := ServingSecrets(); !slices.Equal(got, want) {
		t.Fatalf("the secrets are %q, want %q", got, want)
	}
	for _, name := range want {
		secret, host := m.secret(t, name), strings.TrimSuffix(name, "-tls")+".osm-system.svc"
		if secret.Type != corev1.SecretTypeTLS || !maps.Equal(secret.Labels, meshLabels) {
			t.Errorf("secret %s is of type %s and has labels %v", name, secret.Type, secret.Labels)
		}
		if reason := checkServing(secret, m.currentRoot(t), host, time.Now()); reason != nil {
			t.Errorf("secret %s cannot be used: %v", name, reason)
		}
		leaf := leafOf(t, secret)
		if leaf.Subject.CommonName != host || !slices.Equal(leaf.DNSNames, []string{host}) {
			t.Errorf("secret %s is for %s and %q", name, leaf.Subject, leaf.DNSNames)
		}
		if life := time.Until(leaf.NotAfter); life < servingValidity-time.Hour {
			t.Errorf("secret %s lives for %s", name, life)
		}
	}
}

func TestAServingCertificateThatCannotBeUsedIsReplacedAloneAndInPlace(t *testing.T) {
	m := newMesh(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-injector-tls", Labels: map[string]string{"team": "platform"}},
		Type:       corev1.SecretTypeTLS,
		Data:       serving(t, testkit.CA(t), host, servingValidity),
	})
	mustOnce(t, m)
	secret := m.secret(t, "osm-injector-tls")
	if reason := checkServing(secret, m.currentRoot(t), host, time.Now()); reason != nil {
		t.Error(reason)
	}
	if secret.Labels["team"] != "platform" {
		t.Errorf("its labels became %v", secret.Labels)
	}
	if !strings.Contains(m.logged.String(), "secret=osm-injector-tls") || strings.Contains(m.logged.String(), "osm-validator-tls") {
		t.Errorf("logged %s", &m.logged)
	}
}

func TestAServingSecretOfAnotherTypeIsRefusedByNameAndFix(t *testing.T) {
	m := newMesh(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-injector-tls"}, Type: corev1.SecretTypeOpaque})
	err := m.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "secret osm-system/osm-injector-tls is of type Opaque, not kubernetes.io/tls, which cannot be changed; to fix it, delete it") {
		t.Errorf("error %v", err)
	}
}
