//go:build cli

package integration

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// plantClock has osm ask an API server whose clock is ahead: the real one, whose
// answers say so on their way.
func plantClock(p *patient) func() {
	config := p.cluster.Config()
	target, err := url.Parse(config.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		p.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	p.t.Cleanup(server.Close)
	p.kubeconfig = filepath.Join(p.t.TempDir(), "kubeconfig")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a"}}],` +
		`"clusters":[{"name":"a","cluster":{"server":"` + server.URL + `"}}]}`
	if err := os.WriteFile(p.kubeconfig, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return func() {}
}
