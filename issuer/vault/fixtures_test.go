package vault_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

// startServer runs one of the test's own, set up as the guide says.
func startServer(t testing.TB) *testvault.Server {
	t.Helper()
	return start(t, testvault.Options{TLS: true})
}

func start(t testing.TB, o testvault.Options) *testvault.Server {
	t.Helper()
	o.Dir = t.TempDir()
	server, err := testvault.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, server.Stop()) })
	must(t, server.SetUp(t.Context()))
	return server
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newCA asks the server with its root token, unless changed.
func newCA(t testing.TB, server *testvault.Server, change func(*vault.Options)) *vault.CA {
	t.Helper()
	o := vault.Options{
		Address:     server.Address,
		CA:          server.CA,
		Role:        testvault.Role,
		Credentials: vault.Token{Read: always(server.Token)},
		Trial:       func() (*issuer.Request, error) { return request(t, "osm-controller"), nil },
		Timeout:     5 * time.Second,
		Logger:      slog.New(slog.DiscardHandler),
	}
	change(&o)
	ca, err := vault.New(o)
	must(t, err)
	return ca
}

func asIs(*vault.Options) {}

func always(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// run has the CA run until the test's end.
func run(t *testing.T, ca *vault.CA) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- ca.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
}

func request(t testing.TB, serviceAccount string) *issuer.Request {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", serviceAccount)
	must(t, err)
	req, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, id)
	must(t, err)
	return req
}

func issue(t testing.TB, ca *vault.CA, ttl time.Duration) ([]*x509.Certificate, error) {
	t.Helper()
	return ca.Issue(t.Context(), request(t, "bookstore-v2"), ttl)
}

func mustIssue(t testing.TB, ca *vault.CA, ttl time.Duration) []*x509.Certificate {
	t.Helper()
	chain, err := issue(t, ca, ttl)
	must(t, err)
	return chain
}

// wantError wants one that says all of it, and no token.
func wantError(t *testing.T, err error, secrets []string, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Error("the error says the token")
		}
	}
}

// newToken makes a token that may sign and no more, changed so.
func newToken(t *testing.T, server *testvault.Server, change func(*api.TokenCreateRequest)) string {
	t.Helper()
	client, err := server.Client(server.Token)
	must(t, err)
	policy := fmt.Sprintf(`path "pki/sign/%s" { capabilities = ["update"] }`, testvault.Role)
	must(t, client.Sys().PutPolicyWithContext(t.Context(), "sign", policy))
	o := &api.TokenCreateRequest{Policies: []string{"sign"}, TTL: "1h"}
	change(o)
	secret, err := client.Auth().Token().CreateWithContext(t.Context(), o)
	must(t, err)
	return secret.Auth.ClientToken
}

// revoke has the server forget a token.
func revoke(t *testing.T, server *testvault.Server, token string) {
	t.Helper()
	_, err := server.Write(t.Context(), "auth/token/revoke", map[string]any{"token": token})
	must(t, err)
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
