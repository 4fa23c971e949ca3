package vault_test

import (
	"context"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestAVaultThatIsAwayIsToldApartAndComesBack(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	before := mustIssue(t, ca, time.Hour)
	secrets := []string{server.Token}

	must(t, server.Seal(t.Context()))
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, secrets, server.Address, "sealed", "vault operator unseal")
	if roots, err := ca.Roots(t.Context()); err != nil || roots.IsEmpty() {
		t.Errorf("the roots that were known are gone: %v, %v", roots, err)
	}
	_, err = newCA(t, server, asIs).Roots(t.Context())
	wantError(t, err, secrets, "sealed")

	must(t, server.Stop())
	_, err = issue(t, ca, time.Hour) // may still find the connection that was open, as it ends
	wantError(t, err, secrets, server.Address, "cannot be reached")
	_, err = issue(t, ca, time.Hour)
	wantError(t, err, secrets, server.Address, "cannot be reached", "connection refused")

	must(t, server.Resume(t.Context()))
	_, err = issue(t, ca, time.Hour)
	wantError(t, err, secrets, "sealed")

	must(t, server.Unseal(t.Context()))
	after := mustIssue(t, ca, time.Hour)
	if after[0].Issuer.String() != before[0].Issuer.String() {
		t.Errorf("issued by %s, before by %s", after[0].Issuer, before[0].Issuer)
	}
}

func TestVaultIsVerifiedByItsOwnCA(t *testing.T) {
	server := startServer(t)
	other := startServer(t)
	mustIssue(t, newCA(t, server, asIs), time.Hour)
	for name, test := range map[string]struct {
		change func(*vault.Options)
		want   string
	}{
		"the CA of another":      {func(o *vault.Options) { o.CA = other.CA }, "give that CA"},
		"the CAs of the system":  {func(o *vault.Options) { o.CA = nil }, "give that CA"},
		"plain HTTP":             {func(o *vault.Options) { o.Address, o.Given = "http"+o.Address[len("https"):], noRoots }, "set the protocol to https"},
		"HTTPS where there's no": {func(o *vault.Options) { o.Address = "https" + plain(t).Address[len("http"):] }, "set the protocol to http"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := issue(t, newCA(t, server, test.change), time.Hour)
			wantError(t, err, []string{server.Token}, test.want)
		})
	}
}

func plain(t *testing.T) *testvault.Server {
	t.Helper()
	return start(t, testvault.Options{})
}

func noRoots(context.Context) (trustbundle.TrustBundle, error) { return trustbundle.TrustBundle{}, nil }

// What VAULT_ variables hold is for Vault's command line tool alone.
func TestTheEnvironmentDoesNotCount(t *testing.T) {
	server := startServer(t)
	for name, value := range map[string]string{
		"VAULT_ADDR":        "http://127.0.0.1:1",
		"VAULT_AGENT_ADDR":  "http://127.0.0.1:1",
		"VAULT_SKIP_VERIFY": "true",
		"VAULT_NAMESPACE":   "elsewhere",
		"VAULT_HEADERS":     `{"x-other":"1"}`,
		"VAULT_PROXY_ADDR":  "http://127.0.0.1:1",
		"VAULT_RATE_LIMIT":  "0.001:1",
		"HTTPS_PROXY":       "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	t.Setenv("VAULT_TOKEN", server.Token)
	if _, err := issue(t, newCA(t, server, func(o *vault.Options) { o.CA = nil }), time.Hour); err == nil {
		t.Error("VAULT_SKIP_VERIFY counts")
	}
	denied := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: always("wrong")} })
	_, err := issue(t, denied, time.Hour)
	wantError(t, err, []string{server.Token, "wrong"}, "permission denied")
	good := newCA(t, server, asIs)
	mustIssue(t, good, time.Hour)
	mustIssue(t, good, time.Hour)
}
