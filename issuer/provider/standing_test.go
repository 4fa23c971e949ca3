package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

// message returns what Ready says.
func (m *mesh) message(t *testing.T, name string) string {
	t.Helper()
	if c := meta.FindStatusCondition(m.object(t, name).Status.Conditions, v1.ConditionReady); c != nil {
		return c.Message
	}
	return ""
}

// awaitMessage awaits Ready to be so, and to say it.
func (m *mesh) awaitMessage(t *testing.T, name, ready string, words ...string) {
	t.Helper()
	testkit.Await(t, "it succeeds", func() error {
		message := m.message(t, name)
		lacks := slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(message, word) })
		if got := m.says(t, name, v1.ConditionReady); got != ready || lacks {
			return fmt.Errorf("%s: Ready is %q: %s; want %q, %q\n%s", name, got, message, ready, words, &m.logged)
		}
		return nil
	})
}

// tokenOf makes a token that may sign and read the role, changed so.
func tokenOf(t *testing.T, server *testvault.Server, change func(*api.TokenCreateRequest)) string {
	t.Helper()
	client, err := server.Client(server.Token)
	must(t, err)
	must(t, client.Sys().PutPolicyWithContext(t.Context(), "mesh", `path "pki/*" { capabilities = ["read", "update"] }`))
	o := &api.TokenCreateRequest{Policies: []string{"mesh"}, TTL: "1h"}
	change(o)
	secret, err := client.Auth().Token().CreateWithContext(t.Context(), o)
	must(t, err)
	return secret.Auth.ClientToken
}

func TestATokenWithUsesIsRefusedAndSigned(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	first := m.makeRoot(t, "osm-ca-bundle")
	m.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	m.run(t)
	m.awaitStatus(t, "tresor", "True Reached", "True Signing")
	m.giveToken(t, server, tokenOf(t, server, func(o *api.TokenCreateRequest) { o.NumUses = 50 }))
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitMessage(t, "vault", "False Failing", "num_uses", "vault token create -orphan -period=24h")
	m.awaitTrusted(t, first)
	m.mustSign(t, first, first)

	m.giveToken(t, server, tokenOf(t, server, func(*api.TokenCreateRequest) {}))
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	root := readRoot(t, server)
	m.giveToken(t, server, tokenOf(t, server, func(o *api.TokenCreateRequest) { o.NumUses = 50 }))
	m.awaitMessage(t, "vault", "False Failing", "num_uses")
	m.mustSign(t, root, first, root) // with the token before
}

func TestTheStatusSaysWhatSignsAndWhatWillStop(t *testing.T) {
	server := startVault(t)
	_, err := server.Write(t.Context(), "pki/root/generate/internal", map[string]any{"common_name": "other.root", "issuer_name": "other", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	must(t, err)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": "other"}))
	m := newMesh(t)
	warned := make(chan string, 10)
	m.options.Warn = func(_ context.Context, name, reason, note string) { warned <- name + " " + reason + " " + note }
	renewable := false
	m.giveToken(t, server, tokenOf(t, server, func(o *api.TokenCreateRequest) { o.Renewable = &renewable }))
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitMessage(t, "vault", "True RootsRefused", `role pki/roles/openservicemesh signs with "CN=other.root"`, "CN=osm.root", "the token for Vault ends at", "put another into secret osm-vault-token before")
	if status := m.object(t, "vault").Status; len(status.Roots) != 1 || status.Roots[0].Subject != "CN=other.root" {
		t.Errorf("roots %+v", status.Roots)
	}
	said := []string{<-warned, <-warned}
	if !strings.HasPrefix(said[0], "vault RootsRefused root \"CN=osm.root\"") && !strings.HasPrefix(said[1], "vault RootsRefused root \"CN=osm.root\"") {
		t.Errorf("warned of %q", said)
	}
	client, err := server.Client(server.Token)
	must(t, err)
	_, err = client.Logical().DeleteWithContext(t.Context(), "pki/issuer/default")
	must(t, err)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": "other", "max_ttl": "1h"}))
	_, err = m.manager.RotateCertificate(t.Context(), m.options.Self)
	must(t, err)
	m.awaitMessage(t, "vault", "True TokenEnds", "the token for Vault ends at", "vault grants certificates 1h0m0s of the 24h0m0s that are asked for", "raise max_ttl")
}

func TestTheStatusSaysWhatHasStopped(t *testing.T) {
	server := startVault(t)
	root := readRoot(t, server)
	for name, given := range map[string]bool{"with the roots of Vault": false, "with roots that are given": true} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			spec := vaultOf(server)
			if given {
				m.createSecret(t, "roots", rootsOf(root))
				spec.Vault.RootsSecretRef = &v1.SecretReference{Name: "roots"}
			}
			token := tokenOf(t, server, func(*api.TokenCreateRequest) {})
			m.giveToken(t, server, token)
			m.create(t, "vault", v1.Active, spec)
			m.run(t)
			m.awaitStatus(t, "vault", "True Reached", "True Signing")
			_, err := server.Write(t.Context(), "auth/token/revoke", map[string]any{"token": token})
			must(t, err)
			// One certificate that cannot be had is enough: the circuit is not open yet.
			if _, err := m.manager.RotateCertificate(t.Context(), m.options.Self); err == nil {
				t.Error("it signs")
			}
			m.awaitMessage(t, "vault", "False Failing", "the token has expired, was revoked or is used up")
			m.awaitStatus(t, "vault", "False Failing", "True Signing")
		})
	}
}

// A role that refuses the mesh's names is seen before its root is distributed.
func TestTheFirstRootIsTriedBeforeItIsDistributed(t *testing.T) {
	server := startVault(t)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"allowed_uri_sans": ""}))
	m := newMesh(t)
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitMessage(t, "vault", "False Failing", "allowed_uri_sans=spiffe://*")
	wantUnready(t, m, "MeshRootCertificate vault does not sign yet: ")
	if state, known := m.fakeRotation.State(); known {
		t.Errorf("distributed is %s", state.Bundle())
	}
	must(t, server.SetRole(t.Context(), testvault.Mount, nil))
	m.Look()
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	root := readRoot(t, server)
	m.mustSign(t, root, root)
}

func TestTheTrialHasAKeyAsCertificatesHave(t *testing.T) {
	server := startVault(t)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"key_type": "rsa", "key_bits": 2048}))
	m := newMesh(t)
	must(t, m.manager.Configure(24*time.Hour, issuer.RSA2048))
	m.giveToken(t, server, tokenThatMay(t, server, "update", "pki/sign/openservicemesh")) // and not read the role
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
}

// What does not sign before a start does not after it.
func TestAtAStartTheRootThatSignedGoesOn(t *testing.T) {
	server := startVault(t)
	before := newMesh(t)
	first := before.makeRoot(t, "osm-ca-bundle")
	before.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	before.run(t)
	before.awaitStatus(t, "tresor", "True Reached", "True Signing")
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"allowed_uri_sans": ""}))
	before.giveToken(t, server, server.Token)
	before.create(t, "vault", v1.Active, vaultOf(server))
	before.awaitStatus(t, "vault", "False Failing", "True Trusted")

	m := newMeshOn(t, before.client, certManagerNowhere)
	m.roots, m.options.Objects = before.roots, before.roots
	m.followed = followObjects(m.options, m.Look)
	state, _ := before.fakeRotation.State()
	m.fakeRotation.set(func(r *fakeRotation) { r.state = state })
	m.run(t)
	testkit.Await(t, "it is ready", m.Ready)
	m.mustSign(t, first, first, readRoot(t, server))
	m.awaitStatus(t, "vault", "False Failing", "True Trusted")
}

func TestARootThatHasEndedBesideTheOneOfCertManagerIsLeftOut(t *testing.T) {
	m, objects := startCertManager(t)
	root := m.createCA(t, objects)
	_, key, err := tresor.NewRoot()
	must(t, err)
	ended := givenRoot(t, key, func(c *x509.Certificate) { c.NotAfter, c.Subject.CommonName = time.Now().Add(-time.Minute), "former" })
	m.createSecret(t, "osm-ca-bundle", map[string][]byte{
		rootsecret.CertificateKey: append(ended[rootsecret.CertificateKey], rootsOf(root)[rootsecret.CertificateKey]...),
	})
	warned := make(chan string, 10)
	m.options.Warn = func(_ context.Context, name, reason, note string) { warned <- name + " " + reason + " " + note }
	m.create(t, "cert-manager", v1.Active, certManagerOf("osm-ca"))
	m.run(t)
	m.awaitStatus(t, "cert-manager", "True RootsLeftOut", "True Signing")
	m.mustSign(t, root, root)
	for _, said := range []string{m.message(t, "cert-manager"), <-warned} {
		for _, want := range []string{`key "ca.crt" of secret osm-system/osm-ca-bundle: "CN=former" is left out`, "expired at", "remove it from there"} {
			if !strings.Contains(said, want) {
				t.Errorf("it says %q, which lacks %q", said, want)
			}
		}
	}
	secret, err := m.client.CoreV1().Secrets(namespace).Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{})
	must(t, err)
	secret.Data = rootsOf(root)
	_, err = m.client.CoreV1().Secrets(namespace).Update(t.Context(), secret, metav1.UpdateOptions{})
	must(t, err)
	m.awaitStatus(t, "cert-manager", "True Reached", "True Signing")
}
