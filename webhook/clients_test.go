package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/webhook"
)

// asClient presents the certificate of a client of a name.
func (ca *testCA) asClient(t *testing.T, name string, usage x509.ExtKeyUsage) func(*tls.Config) {
	t.Helper()
	p := ca.issue(t, func(template *x509.Certificate) {
		template.Subject, template.DNSNames, template.ExtKeyUsage = pkix.Name{CommonName: name}, nil, []x509.ExtKeyUsage{usage}
	})
	certificate, err := tls.X509KeyPair(p.certificate, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return func(config *tls.Config) { config.Certificates = []tls.Certificate{certificate} }
}

func serveClients(t *testing.T, serving *testCA, clients *webhook.Clients) string {
	t.Helper()
	server, err := webhook.NewServer(webhook.ServerOptions{
		Certificates: sourceOf(t, serving.issue(t)), Clients: clients, Handlers: map[string]http.Handler{"/echo": echo},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return "https://" + listener.Addr().String() + "/echo"
}

func TestOnlyAPIServersAreAnsweredIfClientsAreVerified(t *testing.T) {
	serving, cluster, other := newTestCA(t), newTestCA(t), newTestCA(t)
	clients, err := webhook.NewClients(webhook.ClientsOptions{CABundle: cluster.pem(), Names: []string{"kube-apiserver"}})
	if err != nil {
		t.Fatal(err)
	}
	url := serveClients(t, serving, clients)
	for name, test := range map[string]struct {
		present  func(*tls.Config)
		answered bool
	}{
		"an API server":                  {cluster.asClient(t, "kube-apiserver", x509.ExtKeyUsageClientAuth), true},
		"a kubelet":                      {cluster.asClient(t, "system:node:a", x509.ExtKeyUsageClientAuth), false},
		"a server's certificate":         {cluster.asClient(t, "kube-apiserver", x509.ExtKeyUsageServerAuth), false},
		"a certificate of another's":     {other.asClient(t, "kube-apiserver", x509.ExtKeyUsageClientAuth), false},
		"no certificate":                 {func(*tls.Config) {}, false},
		"no certificate, in TLS 1.2":     {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false},
		"a certificate that has expired": {expiredClient(t, cluster), false},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := newClient(serving, test.present).Post(url, "application/json", strings.NewReader("{}"))
			if err == nil {
				err = response.Body.Close()
			}
			if (err == nil) != test.answered {
				t.Errorf("error %v", err)
			}
		})
	}
}

func expiredClient(t *testing.T, ca *testCA) func(*tls.Config) {
	t.Helper()
	p := ca.issue(t, func(template *x509.Certificate) {
		template.Subject, template.ExtKeyUsage = pkix.Name{CommonName: "kube-apiserver"}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		template.NotAfter = time.Now().Add(-time.Second)
	})
	certificate, err := tls.X509KeyPair(p.certificate, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return func(config *tls.Config) { config.Certificates = []tls.Certificate{certificate} }
}

func TestTheClustersClientCAIsFollowed(t *testing.T) {
	serving, first, second := newTestCA(t), newTestCA(t), newTestCA(t)
	published := func(ca string) *corev1.ConfigMap {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"},
			Data:       map[string]string{"client-ca-file": ca},
		}
	}
	client := fake.NewClientset(published(string(first.pem())))
	clients, err := webhook.NewClients(webhook.ClientsOptions{Names: []string{"kube-apiserver"}, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	if clients.Ready() == nil {
		t.Error("ready before the ConfigMap was read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- clients.Run(ctx) }()
	url := serveClients(t, serving, clients)
	answered := func(ca *testCA) bool {
		response, err := newClient(serving, ca.asClient(t, "kube-apiserver", x509.ExtKeyUsageClientAuth)).Post(url, "application/json", strings.NewReader("{}"))
		return err == nil && response.Body.Close() == nil
	}
	untilAnswered := func(ca *testCA) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !answered(ca); {
			if time.Now().After(deadline) {
				t.Fatal("not answered")
			}
		}
	}
	untilAnswered(first)
	// What can't be read changes nothing.
	for _, ca := range []string{"", string(second.pem())} {
		if _, err := client.CoreV1().ConfigMaps("kube-system").Update(t.Context(), published(ca), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	untilAnswered(second)
	if answered(first) {
		t.Error("the CA before is still trusted")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheClustersClientCAAloneTellsNoClientsApart(t *testing.T) {
	if _, err := webhook.NewClients(webhook.ClientsOptions{}); err == nil || !strings.Contains(err.Error(), "common names") {
		t.Errorf("error %v", err)
	}
	if _, err := webhook.NewClients(webhook.ClientsOptions{CABundle: []byte("x")}); err == nil || !strings.Contains(err.Error(), "not PEM") {
		t.Errorf("error %v", err)
	}
}
