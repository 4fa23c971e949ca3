package vault

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// maxAnswer bounds what is read of an answer: far more than a chain takes.
const maxAnswer = 1 << 20

// connector returns what makes clients with a token. They share connections,
// and nothing of them comes from the environment, as much of the library would
// like to: a VAULT_SKIP_VERIFY that was left there must not count.
func connector(o Options) (func(token string) (*api.Client, error), error) {
	transport, err := transport(o)
	if err != nil {
		return nil, err
	}
	return func(token string) (*api.Client, error) {
		client, err := api.NewClient(&api.Config{
			Address:    o.Address,
			Timeout:    o.Timeout,
			HttpClient: &http.Client{Transport: transport, CheckRedirect: theLibraryFollows},
			MaxRetries: 0, // the caller backs off
		})
		if err != nil {
			return nil, fmt.Errorf("make a client of vault: %w", err)
		}
		client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
		client.SetToken(token)
		return client, nil
	}, nil
}

// theLibraryFollows leaves redirects to the library, which follows one, and
// none from HTTPS to HTTP.
func theLibraryFollows(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func transport(o Options) (http.RoundTripper, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(bytes.TrimSpace(o.CA)) > 0 {
		certificates, err := trustbundle.ParseCertificates(o.CA)
		if err != nil {
			return nil, fmt.Errorf("read the CA of vault's own certificate: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		for _, certificate := range certificates {
			config.RootCAs.AddCert(certificate)
		}
	}
	return bounded{&http.Transport{
		TLSClientConfig:     config,
		TLSHandshakeTimeout: o.Timeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}}, nil
}

// bounded reads no more than maxAnswer of any answer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		body := response.Body
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(body, maxAnswer), body}
	}
	return response, err
}
