package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

// newReader makes a token that may sign, and read the role.
func newReader(t *testing.T, server *testvault.Server, change func(*api.TokenCreateRequest)) string {
	t.Helper()
	client, err := server.Client(server.Token)
	must(t, err)
	must(t, client.Sys().PutPolicyWithContext(t.Context(), "reader", `path "pki/roles/*" { capabilities = ["read"] }
path "pki/sign/*" { capabilities = ["update"] }`))
	return newToken(t, server, func(o *api.TokenCreateRequest) {
		o.Policies = []string{"reader"}
		change(o)
	})
}

func TestItSaysWhatSigns(t *testing.T) {
	server := startServer(t)
	_, err := server.Write(t.Context(), "pki/root/generate/internal", map[string]any{"common_name": "other.root", "issuer_name": "other", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	must(t, err)
	for name, token := range map[string]string{"may read the role": newReader(t, server, asCreated), "may only sign": newToken(t, server, asCreated)} {
		t.Run("a token that "+name, func(t *testing.T) {
			for _, want := range []struct{ reference, subject string }{{"default", "CN=osm.root"}, {"other", "CN=other.root"}} {
				must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": want.reference}))
				ca := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: always(token)} })
				roots, err := ca.Roots(t.Context())
				must(t, err)
				got := ca.Inspect(t.Context())
				if got.Err != nil || got.Issuer == nil || got.Issuer.Subject.String() != want.subject || !strings.Contains(roots.String(), want.subject) {
					t.Errorf("issuer_ref=%s: %+v signs, of %s", want.reference, got, roots)
				}
				if leaf := mustIssue(t, ca, time.Hour)[0]; leaf.Issuer.String() != want.subject {
					t.Errorf("issuer_ref=%s: %s signs", want.reference, leaf.Issuer)
				}
			}
		})
	}
}

// What has stopped is noticed though no caller asks for a certificate.
func TestItSaysWhatHasStopped(t *testing.T) {
	server := startServer(t)
	client, err := server.Client(server.Token)
	must(t, err)
	root, err := client.Logical().ReadWithContext(t.Context(), "pki/issuer/default/json")
	must(t, err)
	write := func(path string, data map[string]any) func(*testing.T, string) {
		return func(t *testing.T, _ string) {
			_, err := server.Write(t.Context(), path, data)
			must(t, err)
		}
	}
	policy := func(text string) func(*testing.T, string) {
		return func(t *testing.T, _ string) { must(t, client.Sys().PutPolicyWithContext(t.Context(), "reader", text)) }
	}
	tests := []struct {
		name   string
		stop   func(t *testing.T, token string)
		repair func(t *testing.T, token string) // nil where it is final
		want   string
	}{
		{"the policy is taken away", policy(`path "pki/roles/*" { capabilities = ["read"] }`),
			policy("path \"pki/roles/*\" { capabilities = [\"read\"] }\npath \"pki/sign/*\" { capabilities = [\"update\"] }"),
			"no policy grants the token update on pki/sign/openservicemesh"},
		{"the role is deleted", func(t *testing.T, _ string) {
			_, err := client.Logical().DeleteWithContext(t.Context(), "pki/roles/openservicemesh")
			must(t, err)
		}, func(t *testing.T, _ string) { must(t, server.SetRole(t.Context(), testvault.Mount, nil)) }, "has no role pki/roles/openservicemesh: write it"},
		{"the role names no issuer that there is", write("pki/roles/openservicemesh", map[string]any{"issuer_ref": "none"}),
			func(t *testing.T, _ string) { must(t, server.SetRole(t.Context(), testvault.Mount, nil)) }, "set issuer_ref to an issuer that there is"},
		{"Vault is sealed", func(t *testing.T, _ string) { must(t, server.Seal(t.Context())) },
			func(t *testing.T, _ string) { must(t, server.Unseal(t.Context())) }, "is sealed: unseal it"},
		{"the default issuer is deleted", func(t *testing.T, _ string) {
			_, err := client.Logical().DeleteWithContext(t.Context(), "pki/issuer/default")
			must(t, err)
		}, write("pki/issuers/import/cert", map[string]any{"pem_bundle": root.Data["certificate"]}), "no default issuer currently configured: the role signs with the default issuer"},
		{"the token is revoked", func(t *testing.T, token string) { revoke(t, server, token) }, nil, "the token has expired, was revoked or is used up"},
		{"the mount is disabled", func(t *testing.T, _ string) { must(t, client.Sys().UnmountWithContext(t.Context(), "pki")) }, nil, "has no PKI at pki: enable it there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := newReader(t, server, asCreated)
			ca := newCA(t, server, func(o *vault.Options) {
				o.Credentials, o.Poll = vault.Token{Read: always(token)}, 20*time.Millisecond
			})
			_, err := ca.Roots(t.Context())
			must(t, err)
			must(t, ca.Inspect(t.Context()).Err)
			run(t, ca)
			test.stop(t, token)
			awaitChange(t, ca)
			testkit.Await(t, "it succeeds", func() error {
				if err := ca.Inspect(t.Context()).Err; err == nil || !strings.Contains(err.Error(), test.want) {
					return errors.Join(errors.New("want "+test.want), err)
				}
				return nil
			})
			wantError(t, ca.Inspect(t.Context()).Err, []string{token}, test.want)
			if test.repair == nil {
				return
			}
			test.repair(t, token)
			testkit.Await(t, "it succeeds", func() error { return ca.Inspect(t.Context()).Err })
			mustIssue(t, ca, time.Hour)
		})
	}
}

// A token that may only sign cannot be looked at: it has to prove itself.
func TestATokenThatMayOnlySignHasToProveItself(t *testing.T) {
	server := startServer(t)
	token := newToken(t, server, func(o *api.TokenCreateRequest) { o.NoDefaultPolicy = true })
	ca := newCA(t, server, func(o *vault.Options) {
		o.Credentials, o.Poll = vault.Token{Read: always(token)}, 20*time.Millisecond
	})
	_, err := ca.Roots(t.Context())
	must(t, err)
	must(t, ca.Inspect(t.Context()).Err)
	run(t, ca)
	revoke(t, server, token)
	awaitChange(t, ca)
	wantError(t, ca.Inspect(t.Context()).Err, []string{token}, "permission denied", "used up")
}

func TestARoleThatRefusesIsSaidUntilItIsRight(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	_, err := ca.Roots(t.Context())
	must(t, err)
	must(t, ca.Inspect(t.Context()).Err)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"allowed_uri_sans": ""}))
	if _, err := issue(t, ca, time.Hour); err == nil {
		t.Fatal("it signs")
	}
	awaitChange(t, ca)
	wantError(t, ca.Inspect(t.Context()).Err, nil, "allowed_uri_sans=spiffe://*")
	must(t, server.SetRole(t.Context(), testvault.Mount, nil))
	must(t, ca.Inspect(t.Context()).Err)
}

func TestATokenThatIsLimitedToUsesIsRefused(t *testing.T) {
	server := startServer(t)
	for _, uses := range []int{1, 2, 100} {
		token := newToken(t, server, func(o *api.TokenCreateRequest) { o.NumUses = uses })
		ca := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: always(token)} })
		_, err := issue(t, ca, time.Hour)
		wantError(t, err, []string{token}, "num_uses", "vault token create -orphan -period=24h")
		if !errors.Is(err, vault.ErrLimited) {
			t.Errorf("%d uses: error %v", uses, err)
		}
	}
}

func TestATokenThatIsLimitedDoesNotReplaceAGoodOne(t *testing.T) {
	server := startServer(t)
	token := keep(newToken(t, server, asCreated))
	ca := newCA(t, server, token.credentials)
	mustIssue(t, ca, time.Hour)
	must(t, ca.Inspect(t.Context()).Err)
	run(t, ca)
	token.replace(newToken(t, server, func(o *api.TokenCreateRequest) { o.NumUses = 100 }))
	awaitChange(t, ca) // its owner may have looked before the token was tried
	testkit.Await(t, "it succeeds", func() error {
		if err := ca.Inspect(t.Context()).Err; !errors.Is(err, vault.ErrLimited) {
			return errors.New("the token is not refused")
		}
		return nil
	})
	mustIssue(t, ca, time.Hour)
	token.replace(newToken(t, server, asCreated))
	testkit.Await(t, "it succeeds", func() error { return ca.Inspect(t.Context()).Err })
}

func TestItSaysWhenTheTokenEnds(t *testing.T) {
	server := startServer(t)
	client, err := server.Client(server.Token)
	must(t, err)
	renewable := false
	tests := map[string]struct {
		change func(*api.TokenCreateRequest)
		ends   time.Duration // 0: it does not
	}{
		"with a period":               {func(o *api.TokenCreateRequest) { o.TTL, o.Period = "", "1h" }, 0},
		"that can be renewed":         {asCreated, 0},
		"that cannot be renewed":      {func(o *api.TokenCreateRequest) { o.Renewable = &renewable }, time.Hour},
		"of a batch":                  {func(o *api.TokenCreateRequest) { o.Type = "batch" }, time.Hour},
		"with explicit_max_ttl":       {func(o *api.TokenCreateRequest) { o.ExplicitMaxTTL = "3h" }, 3 * time.Hour},
		"with a period and a maximum": {func(o *api.TokenCreateRequest) { o.TTL, o.Period, o.ExplicitMaxTTL = "", "1h", "3h" }, 3 * time.Hour},
	}
	for name, test := range tests {
		t.Run("a token "+name, func(t *testing.T) {
			token := newToken(t, server, test.change)
			got := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: always(token)} }).Inspect(t.Context())
			switch left := time.Until(got.TokenEnds); {
			case got.Err != nil:
				t.Error(got.Err)
			case test.ends == 0 && !got.TokenEnds.IsZero(), test.ends > 0 && (left > test.ends || left < test.ends-time.Minute):
				t.Errorf("it ends at %s", got.TokenEnds)
			}
		})
	}
	t.Run("the root token", func(t *testing.T) {
		if got := newCA(t, server, asIs).Inspect(t.Context()); got.Err != nil || !got.TokenEnds.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a token that is renewed by less than it had", func(t *testing.T) {
		token := newToken(t, server, func(o *api.TokenCreateRequest) { o.TTL = "1h" })
		must(t, client.Sys().TuneMountAllowNilWithContext(t.Context(), "auth/token", api.TuneMountConfigInput{MaxLeaseTTL: new("30m")}))
		own, err := server.Client(token)
		must(t, err)
		_, err = own.Auth().Token().RenewSelfWithContext(t.Context(), 0)
		must(t, err)
		got := newCA(t, server, func(o *vault.Options) { o.Credentials = vault.Token{Read: always(token)} }).Inspect(t.Context())
		if left := time.Until(got.TokenEnds); got.Err != nil || left > 30*time.Minute || left < 29*time.Minute {
			t.Errorf("it ends at %s, error %v", got.TokenEnds, got.Err)
		}
	})
}

func TestItSaysThatLifetimesAreShortened(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	_, err := ca.Roots(t.Context())
	must(t, err)
	mustIssue(t, ca, 24*time.Hour)
	if got := ca.Inspect(t.Context()); got.Granted != 0 {
		t.Errorf("granted are %s", got.Granted)
	}
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"max_ttl": "1h"}))
	mustIssue(t, ca, 24*time.Hour)
	awaitChange(t, ca)
	if got := ca.Inspect(t.Context()); got.Err != nil || got.Asked != 24*time.Hour || got.Granted != time.Hour {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsGivenHasToBeWhatSigns(t *testing.T) {
	server, other := startServer(t), startServer(t)
	given, err := newCA(t, other, asIs).Roots(t.Context())
	must(t, err)
	right, err := newCA(t, server, asIs).Roots(t.Context())
	must(t, err)
	with := func(roots trustbundle.TrustBundle) *vault.CA {
		return newCA(t, server, func(o *vault.Options) {
			o.Given = func(context.Context) (trustbundle.TrustBundle, error) { return roots, nil }
		})
	}
	wantError(t, with(given).Inspect(t.Context()).Err, nil, "none of those given for it")
	must(t, with(right).Inspect(t.Context()).Err)
	must(t, server.Stop())
	if err := with(right).Inspect(t.Context()).Err; !errors.Is(err, vault.ErrUnreachable) || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("error %v", err)
	}
}
