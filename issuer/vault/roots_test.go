package vault_test

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestARootThatIsPreparedIsTrustedBeforeItSigns(t *testing.T) {
	server := startServer(t, testvault.Options{})
	ca := newCA(t, server, func(o *vault.Options) { o.Poll = 50 * time.Millisecond })
	old := roots(t, ca)
	run(t, ca)
	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "osm.root 2", "ttl": "87600h"})
	must(t, err)
	awaitChange(t, ca)
	both := roots(t, ca)
	if len(both.Roots()) != 2 || !both.Union(old).Equal(both) {
		t.Errorf("the roots are %v, before %v", both, old)
	}
	if chain := mustIssue(t, ca, time.Hour); chain[0].Issuer.CommonName != "osm.root" {
		t.Errorf("issued by %s", chain[0].Issuer)
	}
	replaceRoot(t, server)
	if chain := mustIssue(t, ca, time.Hour); chain[0].Issuer.CommonName != "osm.root 2" {
		t.Errorf("issued by %s", chain[0].Issuer)
	}
}

func TestARootThatSignsUnannouncedIsNotUsedUntilItIsTrusted(t *testing.T) {
	server := startServer(t, testvault.Options{})
	ca := newCA(t, server, asIs)
	mustIssue(t, ca, time.Hour)
	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "osm.root 2", "ttl": "87600h"})
	must(t, err)
	replaceRoot(t, server)
	_, err = issue(t, ca, time.Hour)
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
	server := startServer(t, testvault.Options{})
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

func verify(t *testing.T, chain []*x509.Certificate, root issuer.TrustBundle) {
	t.Helper()
	intermediates := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: root.Pool(), Intermediates: intermediates})
	must(t, err)
}

func roots(t *testing.T, ca *vault.CA) issuer.TrustBundle {
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
	await(t, func() error {
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
		"no address":             {func(o *vault.Options) { o.Address = "" }, "scheme://host:port"},
		"another protocol":       {func(o *vault.Options) { o.Address = "ftp://vault:8200" }, "neither http nor https"},
		"a password in it":       {func(o *vault.Options) { o.Address = "https://me:secret@vault:8200" }, "scheme://host:port"},
		"a path in it":           {func(o *vault.Options) { o.Address = "https://vault:8200/v1" }, "after host and port"},
		"a mount that climbs":    {func(o *vault.Options) { o.Mount = "pki/../sys" }, "mount"},
		"no role":                {func(o *vault.Options) { o.Role = "" }, "role"},
		"a role that is a path":  {func(o *vault.Options) { o.Role = "a/b" }, "role"},
		"no credentials":         {func(o *vault.Options) { o.Credentials = nil }, "credentials"},
		"a CA that is not PEM":   {func(o *vault.Options) { o.CA = []byte("no") }, "not PEM"},
		"nothing, for all is as": {asIs, ""},
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
