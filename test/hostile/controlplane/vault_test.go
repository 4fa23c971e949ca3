//go:build hostile

package controlplane

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/test/attack"
	testvault "github.com/osm-edge/osm/test/vault"
)

const area = "vault"

func TestWhoAnswersInVaultsPlaceAddsNoRoot(t *testing.T) {
	evil := newRoot(t)
	attack.Refused(t, area, "a root added on the way over http, where none is given", func(t *testing.T) (string, error) {
		_, err := vault.New(vault.Options{Address: impostor(t, evil).URL, Role: testvault.Role, Credentials: token("t")})
		if err == nil {
			return "", errors.New("it is asked over http")
		}
		return "it is not asked at all", nil
	})
	attack.Refused(t, area, "a root added on the way over http, beside one that is given", func(t *testing.T) (string, error) {
		real := trustbundle.New(newRoot(t))
		ca, err := vault.New(vault.Options{
			Address: impostor(t, evil).URL, Role: testvault.Role, Credentials: token("t"), Logger: quiet,
			Given: func(context.Context) (trustbundle.TrustBundle, error) { return real, nil },
		})
		if err != nil {
			return "", err
		}
		return only(t, ca, real)
	})
	attack.Refused(t, area, "a Vault with a certificate of the attacker's own", func(t *testing.T) (string, error) {
		server := httptest.NewTLSServer(answers(evil))
		t.Cleanup(server.Close)
		ca, err := vault.New(vault.Options{Address: server.URL, Role: testvault.Role, Credentials: token("t"), Logger: quiet})
		if err != nil {
			return "", err
		}
		if roots, err := ca.Roots(t.Context()); err == nil {
			return "", fmt.Errorf("%s is trusted", roots)
		}
		return "the connection is refused", nil
	})
}

func TestWhoMayAddIssuersAddsNoRoot(t *testing.T) {
	server, err := testvault.Start(t.Context(), testvault.Options{Dir: t.TempDir(), TLS: true})
	check(t, err)
	t.Cleanup(func() { check(t, server.Stop()) })
	check(t, server.SetUp(t.Context()))
	real := readRoot(t, server)
	signOnly := tokenThatMay(t, server, `path "pki/sign/openservicemesh" { capabilities = ["update"] }`)
	for _, one := range []struct{ who, token string }{{"a token that reads the role", server.Token}, {"a token that only signs", signOnly}} {
		ca := caOf(t, server, one.token)
		attack.Works(t, area, "Vault signs for "+one.who, func(t *testing.T) (string, error) { return signs(t, ca, real) })
	}
	evil, key := newAuthority(t, pkix.Name{CommonName: "osm.root"}, nil, nil, nil) // the name of the real one
	cross, _ := newAuthority(t, real.Subject, real.PublicKey, evil, key)
	for what, certificates := range map[string][]*x509.Certificate{
		"a root of its own":                          {newRoot(t)},
		"a root of the same name":                    {evil},
		"a certificate of its own for the real root": {cross, evil},
	} {
		attack.Refused(t, area, "who may add issuers adds "+what, func(t *testing.T) (string, error) {
			if _, err := server.Write(t.Context(), "pki/issuers/import/cert", map[string]any{"pem_bundle": pemOf(certificates...)}); err != nil {
				return "", err
			}
			for _, token := range []string{server.Token, signOnly} {
				ca := caOf(t, server, token)
				if _, err := only(t, ca, trustbundle.New(real)); err != nil {
					return "", err
				}
				if ca.Refused().IsEmpty() {
					return "", errors.New("no one is told of it")
				}
			}
			return "it is not trusted, and told of", nil
		})
	}
	attack.Works(t, area, "Vault signs, whatever else lies there", func(t *testing.T) (string, error) {
		return signs(t, caOf(t, server, signOnly), real)
	})
	attack.Works(t, area, "another issuer of the role is followed", func(t *testing.T) (string, error) {
		if _, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "osm.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256}); err != nil {
			return "", err
		}
		if _, err := server.Write(t.Context(), "pki/root/replace", map[string]any{"default": "next"}); err != nil {
			return "", err
		}
		return signs(t, caOf(t, server, server.Token), readRoot(t, server))
	})
}

var quiet = slog.New(slog.DiscardHandler)

func token(value string) vault.Token {
	return vault.Token{Read: func(context.Context) (string, error) { return value, nil }}
}

func caOf(t *testing.T, server *testvault.Server, value string) *vault.CA {
	t.Helper()
	ca, err := vault.New(vault.Options{
		Address: server.Address, CA: server.CA, Role: testvault.Role, Credentials: token(value), Logger: quiet,
		Trial: func() (*issuer.Request, error) { return trial() },
	})
	check(t, err)
	return ca
}

func trial() (*issuer.Request, error) {
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
	if err != nil {
		return nil, err
	}
	return issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, id)
}

// only fails unless the mesh is to trust these roots and no others.
func only(t *testing.T, ca *vault.CA, want trustbundle.TrustBundle) (string, error) {
	t.Helper()
	roots, err := ca.Roots(t.Context())
	if err != nil {
		return "", err
	}
	if !roots.Equal(want) {
		return "", fmt.Errorf("%s is trusted", roots)
	}
	return "the real root alone is trusted", nil
}

func signs(t *testing.T, ca *vault.CA, root *x509.Certificate) (string, error) {
	t.Helper()
	if _, err := only(t, ca, trustbundle.New(root)); err != nil {
		return "", err
	}
	request, err := trial()
	if err != nil {
		return "", err
	}
	chain, err := ca.Issue(t.Context(), request, time.Hour)
	if err != nil {
		return "", err
	}
	return "a certificate of its root", chain[0].CheckSignatureFrom(root)
}

// impostor is who answers in Vault's place over http.
func impostor(t *testing.T, evil *x509.Certificate) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(answers(evil))
	t.Cleanup(server.Close)
	return server
}

// answers has the root of the attacker be of every issuer, role and chain.
func answers(evil *x509.Certificate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{
			"keys": []string{"a"}, "issuer_ref": "a", "certificate": pemOf(evil), "ca_chain": []string{pemOf(evil)}, "issuing_ca": pemOf(evil),
		}})
	})
}

func newRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	root, _, err := tresor.NewNamedRoot("attacker")
	check(t, err)
	return root
}

// newAuthority makes a CA certificate, signed by the parent if there is one.
func newAuthority(t *testing.T, subject pkix.Name, public any, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		public, parent, parentKey = key.Public(), template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, parentKey)
	check(t, err)
	certificate, err := x509.ParseCertificate(der)
	check(t, err)
	return certificate, key
}

func pemOf(certificates ...*x509.Certificate) string {
	var text bytes.Buffer
	for _, certificate := range certificates {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	return text.String()
}

func readRoot(t *testing.T, server *testvault.Server) *x509.Certificate {
	t.Helper()
	client, err := server.Client("")
	check(t, err)
	answer, err := client.Logical().ReadWithContext(t.Context(), testvault.Mount+"/cert/ca")
	check(t, err)
	certificates, err := trustbundle.ParseCertificates([]byte(answer.Data["certificate"].(string)))
	check(t, err)
	return certificates[0]
}

func tokenThatMay(t *testing.T, server *testvault.Server, policy string) string {
	t.Helper()
	client, err := server.Client(server.Token)
	check(t, err)
	check(t, client.Sys().PutPolicyWithContext(t.Context(), "may", policy))
	secret, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"may"}, TTL: "1h"})
	check(t, err)
	return secret.Auth.ClientToken
}
