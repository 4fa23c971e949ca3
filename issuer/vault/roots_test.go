package vault_test

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestARootThatAppearsIsRefusedUntilTheRoleSignsWithIt(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, func(o *vault.Options) { o.Poll = 50 * time.Millisecond })
	old := roots(t, ca)
	run(t, ca)
	next := prepareRoot(t, server)
	awaitChange(t, ca)
	if got := roots(t, ca); !got.Equal(old) {
		t.Errorf("the roots are %v, before %v", got, old)
	}
	if got := ca.Refused(); !got.Equal(next) {
		t.Errorf("refused is %v, want %v", got, next)
	}
	mustIssue(t, ca, time.Hour)
	replaceRoot(t, server)
	awaitChange(t, ca)
	if got := roots(t, ca); !got.Equal(next) {
		t.Errorf("the roots are %v, want %v", got, next)
	}
	if chain := mustIssue(t, ca, time.Hour); chain[0].Issuer.CommonName != "osm.root 2" {
		t.Errorf("issued by %s", chain[0].Issuer)
	}
	if got := ca.Refused(); !got.Equal(old) {
		t.Errorf("refused is %v, want %v", got, old)
	}
}

func TestARoleWithAnIssuerOfItsOwnHasThatRoot(t *testing.T) {
	server := startServer(t)
	next := prepareRoot(t, server)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": "next"}))
	ca := newCA(t, server, asIs)
	if got := roots(t, ca); !got.Equal(next) {
		t.Errorf("the roots are %v, want %v", got, next)
	}
	mustIssue(t, ca, time.Hour)
}

func TestATokenThatMayNotReadTheRoleSeesWhatItSigns(t *testing.T) {
	server := startServer(t)
	root := roots(t, newCA(t, server, asIs))
	token := newToken(t, server, asCreated)
	ca := newCA(t, server, func(o *vault.Options) { keep(token).credentials(o); o.Poll = 50 * time.Millisecond })
	next := prepareRoot(t, server)
	if got := roots(t, ca); !got.Equal(root) {
		t.Errorf("the roots are %v, want %v", got, root)
	}
	if got := ca.Refused(); !got.Equal(next) {
		t.Errorf("refused is %v, want %v", got, next)
	}
	mustIssue(t, ca, time.Hour)
	replaceRoot(t, server)
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, []string{token}, "root that the mesh does not trust yet")
	awaitChange(t, ca)
	if got := roots(t, ca); !got.Equal(next) {
		t.Errorf("the roots are %v, want %v", got, next)
	}
	mustIssue(t, ca, time.Hour)
	_, err = newCA(t, server, func(o *vault.Options) { keep(token).credentials(o); o.Trial = nil }).Roots(t.Context())
	wantError(t, err, []string{token}, "permission denied", "read on pki/roles/openservicemesh")
}

func TestOnlyRootsThatAreGivenAreTrusted(t *testing.T) {
	for name, server := range map[string]*testvault.Server{"https": startServer(t), "http": start(t, testvault.Options{})} {
		t.Run(name, func(t *testing.T) {
			given := rootOf(t, server)
			ca := newCA(t, server, func(o *vault.Options) {
				o.Given = func(context.Context) (trustbundle.TrustBundle, error) { return given, nil }
			})
			next := prepareRoot(t, server)
			if got := roots(t, ca); !got.Equal(given) || !ca.Refused().IsEmpty() {
				t.Errorf("the roots are %v, want %v", got, given)
			}
			mustIssue(t, ca, time.Hour)
			replaceRoot(t, server)
			_, err := issue(t, ca, time.Hour)
			wantError(t, err, []string{server.Token}, "none of those given")
			given = given.Union(next)
			roots(t, ca)
			mustIssue(t, ca, time.Hour)
		})
	}
}

// rootOf reads the root that signs.
func rootOf(t *testing.T, server *testvault.Server) trustbundle.TrustBundle {
	t.Helper()
	client, err := server.Client("")
	must(t, err)
	answer, err := client.Logical().ReadWithContext(t.Context(), "pki/cert/ca")
	must(t, err)
	bundle, err := trustbundle.Parse([]byte(answer.Data["certificate"].(string)))
	must(t, err)
	return bundle
}

// prepareRoot makes another root, which does not sign yet.
func prepareRoot(t *testing.T, server *testvault.Server) trustbundle.TrustBundle {
	t.Helper()
	answer, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "osm.root 2", "ttl": "87600h"})
	must(t, err)
	bundle, err := trustbundle.Parse([]byte(answer.Data["certificate"].(string)))
	must(t, err)
	return bundle
}

func TestARootThatSignsUnannouncedIsNotUsedUntilItIsTrusted(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	mustIssue(t, ca, time.Hour)
	prepareRoot(t, server)
	replaceRoot(t, server)
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, []string{server.Token}, "root that the mesh does not trust yet")
	select {
	case <-ca.Changed():
	default:
		t.Fatal("the owner is not told")
	}
	roots(t, ca)
	mustIssue(t, ca, time.Hour)
}

func TestAnIntermediateIsOfTheChainAndItsRootIsNot(t *testing.T) {
	server := startServer(t)
	must(t, server.MountPKI(t.Context(), "intermediate"))
	must(t, server.SetRole(t.Context(), "intermediate", nil))
	csr, err := server.Write(t.Context(), "intermediate/intermediate/generate/internal", map[string]any{"common_name": "osm.intermediate"})
	must(t, err)
	signed, err := server.Write(t.Context(), "pki/root/sign-intermediate", map[string]any{"csr": csr.Data["csr"], "ttl": "43800h", "common_name": "osm.intermediate"})
	must(t, err)
	ca := newCA(t, server, func(o *vault.Options) { o.Mount = "intermediate" })
	alone := signed.Data["certificate"].(string)
	_, err = server.Write(t.Context(), "intermediate/intermediate/set-signed", map[string]any{"certificate": alone})
	must(t, err)
	_, err = issue(t, ca, time.Hour)
	wantError(t, err, []string{server.Token}, "no root certificate", "intermediate/issuers/import/cert")

	root := roots(t, newCA(t, server, asIs))
	_, err = server.Write(t.Context(), "intermediate/issuers/import/cert", map[string]any{"pem_bundle": string(root.PEM())})
	must(t, err)
	chain := mustIssue(t, ca, time.Hour)
	if len(chain) != 2 || chain[1].Subject.CommonName != "osm.intermediate" {
		t.Errorf("the chain has %d certificates, issued by %s", len(chain), chain[0].Issuer)
	}
	if !roots(t, ca).Equal(root) {
		t.Errorf("the roots are %v, want %v", roots(t, ca), root)
	}
	verify(t, chain, root)
}

func verify(t *testing.T, chain []*x509.Certificate, root trustbundle.TrustBundle) {
	t.Helper()
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: root.Pool(), Intermediates: intermediates})
	must(t, err)
}

func roots(t *testing.T, ca *vault.CA) trustbundle.TrustBundle {
	t.Helper()
	bundle, err := ca.Roots(t.Context())
	must(t, err)
	return bundle
}

// replaceRoot has the root that was made last sign.
func replaceRoot(t *testing.T, server *testvault.Server) {
	t.Helper()
	_, err := server.Write(t.Context(), "pki/root/replace", map[string]any{"default": "next"})
	must(t, err)
}

func awaitChange(t *testing.T, ca *vault.CA) {
	t.Helper()
	testkit.Await(t, "it succeeds", func() error {
		select {
		case <-ca.Changed():
			return nil
		default:
			return errors.New("the owner is not told of a change")
		}
	})
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	good := vault.Options{Address: "https://vault:8200", Role: "openservicemesh", Credentials: vault.Token{Read: always("xyz")}}
	for name, test := range map[string]struct {
		change func(*vault.Options)
		want   string
	}{
		"no address":                {func(o *vault.Options) { o.Address = "" }, "want a URL such as https://vault.vault.svc:8200"},
		"another protocol":          {func(o *vault.Options) { o.Address = "ftp://vault:8200" }, "want a URL"},
		"a password in it":          {func(o *vault.Options) { o.Address = "https://me:secret@vault:8200" }, "write https://vault:8200"},
		"the API's path in it":      {func(o *vault.Options) { o.Address = "https://vault:8200/v1" }, "write https://vault:8200"},
		"a mount that climbs":       {func(o *vault.Options) { o.Mount = "pki/../sys" }, "mount"},
		"no role":                   {func(o *vault.Options) { o.Role = "" }, "role"},
		"a role that is a path":     {func(o *vault.Options) { o.Role = "a/b" }, "role"},
		"http, and no roots":        {func(o *vault.Options) { o.Address = "HTTP://vault:8200" }, "use https, or give the roots"},
		"an auth mount that climbs": {func(o *vault.Options) { o.Credentials = vault.Kubernetes{Mount: "../sys", Role: "osm"} }, "mount"},
		"no role to log in with":    {func(o *vault.Options) { o.Credentials = vault.Kubernetes{} }, "role"},
		"no credentials":            {func(o *vault.Options) { o.Credentials = nil }, "credentials"},
		"a CA that is not PEM":      {func(o *vault.Options) { o.CA = []byte("no") }, "not PEM"},
		"nothing, for all is as":    {asIs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			test.change(&o)
			_, err := vault.New(o)
			if test.want == "" {
				must(t, err)
				return
			}
			wantError(t, err, []string{"secret", "xyz"}, test.want)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than a line: %q", err)
			}
		})
	}
}
