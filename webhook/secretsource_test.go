package webhook_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/webhook"
)

func newSource(edits ...func(*webhook.SecretSourceOptions)) *webhook.SecretSource {
	options := webhook.SecretSourceOptions{Namespace: "osm-system", Name: "osm-injector-tls", ServerName: serverName}
	for _, edit := range edits {
		edit(&options)
	}
	return webhook.NewSecretSource(options)
}

func TestASecretThatCanNotBeServedIsRefusedByNameKeyAndFix(t *testing.T) {
	ca := newTestCA(t)
	good, other := ca.issue(t), ca.issue(t)
	tests := map[string]struct {
		edit func(*corev1.Secret)
		want string
	}{
		"the certificate is missing": {
			func(s *corev1.Secret) { delete(s.Data, corev1.TLSCertKey) },
			"key tls.crt: missing or empty"},
		"the key is missing": {
			func(s *corev1.Secret) { delete(s.Data, corev1.TLSPrivateKeyKey) },
			"key tls.key: missing or empty"},
		"the certificate is not PEM": {
			func(s *corev1.Secret) { s.Data[corev1.TLSCertKey] = []byte("garbage") },
			"key tls.crt: not PEM: no certificate in it"},
		"the certificate's PEM is cut off": {
			func(s *corev1.Secret) { s.Data[corev1.TLSCertKey] = good.certificate[:100] },
			"key tls.crt: not PEM: a block is malformed or cut off"},
		"half a block follows the certificate": {
			func(s *corev1.Secret) {
				s.Data[corev1.TLSCertKey] = append(bytes.Clone(good.certificate), "-----BEGIN"...)
			},
			"key tls.crt: not PEM: text outside of a block"},
		"the key lies beside the certificate": {
			func(s *corev1.Secret) { s.Data[corev1.TLSCertKey] = slices.Concat(good.certificate, good.key) },
			`key tls.crt: a PEM block of type "PRIVATE KEY"`},
		"the key is another certificate's": {
			func(s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = other.key },
			"keys tls.crt and tls.key: the private key is not that of the first certificate"},
		"the certificate is for another service": {
			func(s *corev1.Secret) {
				s.Data = servingSecret(ca.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"osm-validator.osm-system.svc"} })).Data
			},
			"key tls.crt: not for this service: x509: certificate is valid for osm-validator.osm-system.svc, not osm-injector.osm-system.svc"},
		"the certificate names the service in its CN only": {
			func(s *corev1.Secret) {
				s.Data = servingSecret(ca.issue(t, func(c *x509.Certificate) { c.DNSNames = nil })).Data
			},
			"key tls.crt: not for this service"},
		"the certificate has expired": {
			func(s *corev1.Secret) {
				s.Data = servingSecret(ca.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })).Data
			},
			"key tls.crt: expired at "},
		"the certificate is not valid yet": {
			func(s *corev1.Secret) {
				s.Data = servingSecret(ca.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })).Data
			},
			"key tls.crt: not valid before "},
		"the certificate is for clients": {
			func(s *corev1.Secret) {
				s.Data = servingSecret(ca.issue(t, func(c *x509.Certificate) {
					c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
				})).Data
			},
			"key tls.crt: lacks the extended key usage serverAuth"},
		"the type is another": {
			func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque },
			`type is "Opaque", not "kubernetes.io/tls"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			source := newSource()
			secret := servingSecret(good)
			test.edit(secret)
			err := source.Set(secret)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range []string{"secret osm-system/osm-injector-tls: ", test.want, "delete the secret and restart osm-bootstrap"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if ready := source.Ready(); ready == nil || !strings.Contains(ready.Error(), test.want) {
				t.Errorf("Ready says %v, not why the secret was refused", ready)
			}
			if _, err := source.GetCertificate(nil); err == nil {
				t.Error("a certificate is served")
			}
		})
	}
}

func TestAnotherSecretIsNotTaken(t *testing.T) {
	secret := servingSecret(newTestCA(t).issue(t))
	secret.Name = "osm-validator-tls"
	if err := newSource().Set(secret); err == nil || !strings.Contains(err.Error(), "osm-system/osm-validator-tls") {
		t.Errorf("error %v does not name the secret", err)
	}
}

func TestARefusedSecretLeavesTheCertificateHeldUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		if err := source.Ready(); err == nil || !strings.Contains(err.Error(), "no certificate yet") {
			t.Errorf("before the first certificate, Ready says %v", err)
		}
		good := newTestCA(t).issue(t)
		if err := source.Set(servingSecret(good)); err != nil {
			t.Fatal(err)
		}
		if err := source.Set(servingSecret(pair{certificate: good.certificate})); err == nil {
			t.Fatal("a secret without a key was taken")
		}
		if err := source.Ready(); err != nil {
			t.Errorf("not ready with a valid certificate held: %v", err)
		}
		if certificate, err := source.GetCertificate(nil); err != nil || certificate == nil {
			t.Errorf("the certificate held is not served: %v", err)
		}

		time.Sleep(2 * time.Hour)
		err := source.Ready()
		if err == nil {
			t.Fatal("ready with an expired certificate")
		}
		for _, want := range []string{"osm-system/osm-injector-tls", "expired at", "key tls.key: missing or empty"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q lacks %q", err, want)
			}
		}
		if _, err := source.GetCertificate(nil); err == nil {
			t.Error("an expired certificate is served")
		}
	})
}

func TestRunFollowsTheSecretAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newTestCA(t)
		client := fake.NewClientset()
		source := newSource(func(o *webhook.SecretSourceOptions) { o.Client = client })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- source.Run(ctx) }()
		synctest.Wait()
		if source.Ready() == nil {
			t.Error("ready without a secret")
		}

		secrets := client.CoreV1().Secrets("osm-system")
		first, second := servingSecret(ca.issue(t)), servingSecret(ca.issue(t))
		if _, err := secrets.Create(ctx, first, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantServed(t, source, first)
		if _, err := secrets.Update(ctx, second, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantServed(t, source, second)
		if err := secrets.Delete(ctx, second.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantServed(t, source, second)

		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		wantOnlyOneSecretAsked(t, client.Actions())
	})
}

func wantServed(t *testing.T, source *webhook.SecretSource, secret *corev1.Secret) {
	t.Helper()
	certificate, err := source.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pemOf(certificate.Leaf), secret.Data[corev1.TLSCertKey]) {
		t.Error("another certificate is served")
	}
}

func wantOnlyOneSecretAsked(t *testing.T, actions []clienttesting.Action) {
	t.Helper()
	for _, action := range actions {
		var selector string
		switch action := action.(type) {
		case clienttesting.ListAction:
			selector = action.GetListRestrictions().Fields.String()
		case clienttesting.WatchAction:
			selector = action.GetWatchRestrictions().Fields.String()
		default:
			continue
		}
		if selector != "metadata.name=osm-injector-tls" || action.GetNamespace() != "osm-system" {
			t.Errorf("%s of secrets with selector %q in namespace %q", action.GetVerb(), selector, action.GetNamespace())
		}
	}
}
