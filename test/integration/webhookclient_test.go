package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// TestWebhooksAnswerAPIServersOnly has the API server present a client
// certificate to webhooks that answer no other client.
func TestWebhooksAnswerAPIServersOnly(t *testing.T) {
	t.Parallel()
	c, client := startClusterWith(t, cluster.Options{WebhookClient: true})
	webhooks := map[string]any{"verifyClient": true, "clientNames": []any{cluster.ClientName}}
	install(t, c, map[string]any{"osm": map[string]any{"webhooks": webhooks}})
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	t.Run("a pod is injected", func(t *testing.T) {
		if pod := deploy(t, client, "bookbuyer", "bookbuyer"); !hasSidecar(pod) {
			t.Error("the pod has no sidecar")
		}
	})
	t.Run("a MeshConfig is validated", func(t *testing.T) { testValidation(t, client) })
	for _, address := range []string{"osm-injector." + mesh.Namespace + ".svc:9090", "osm-validator." + mesh.Namespace + ".svc:9093"} {
		for who, test := range map[string]struct {
			subject *pkix.Name // none: no certificate
			refusal string
		}{
			"the API server":             {&pkix.Name{CommonName: cluster.ClientName}, ""},
			"a stranger":                 {nil, "tls: certificate required"},
			"a kubelet":                  {&pkix.Name{CommonName: "system:node:node", Organization: []string{"system:nodes"}}, "tls: "},
			"an administrator":           {&pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, "tls: "},
			"who has half of the name":   {&pkix.Name{CommonName: cluster.ClientName + "-etcd-client"}, "tls: "},
			"who has it as a group":      {&pkix.Name{CommonName: "user", Organization: []string{cluster.ClientName}}, "tls: "},
			"a certificate with no name": {&pkix.Name{Organization: []string{"system:masters"}}, "tls: "},
		} {
			t.Run(address+" is called by "+who, func(t *testing.T) {
				var certificates []tls.Certificate
				if test.subject != nil {
					certificate, err := c.ClientCertificate(*test.subject)
					if err != nil {
						t.Fatal(err)
					}
					certificates = append(certificates, certificate)
				}
				err := call(testkit.Context(t, 20*time.Second), c, address, certificates)
				if test.refusal == "" && err != nil {
					t.Errorf("refused: %v", err)
				}
				if test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)) {
					t.Errorf("got %v, want a refusal in TLS that says %q", err, test.refusal)
				}
			})
		}
	}
}

// call asks for anything: an answer at all is what strangers don't get.
func call(ctx context.Context, c *cluster.Cluster, address string, certificates []tls.Certificate) error {
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, network, _ string) (net.Conn, error) { return c.Dial(ctx, network, address) },
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, Certificates: certificates}, // what is tested is the other side
		DisableKeepAlives: true,
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}
