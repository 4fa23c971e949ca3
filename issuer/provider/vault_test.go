package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

func startVault(t *testing.T) *testvault.Server {
	t.Helper()
	return startVaultOver(t, true)
}

func startVaultOver(t *testing.T, tls bool) *testvault.Server {
	t.Helper()
	server, err := testvault.Start(t.Context(), testvault.Options{Dir: t.TempDir(), TLS: tls})
	must(t, err)
	t.Cleanup(func() { must(t, server.Stop()) })
	must(t, server.SetUp(t.Context()))
	return server
}

// vaultOf is the provider of the guide's PKI, with the token of a Secret.
func vaultOf(server *testvault.Server) v1.Provider {
	return v1.Provider{Vault: &v1.Vault{
		Address: server.Address, Mount: testvault.Mount, Role: testvault.Role, CABundle: server.CA,
		Auth: v1.VaultAuth{TokenSecretRef: &v1.SecretKeyReference{Name: "osm-vault-token", Key: "token"}},
	}}
}

// giveToken has the Secret hold a token that may be sent to the server.
func (m *mesh) giveToken(t *testing.T, server *testvault.Server, token string) {
	t.Helper()
	m.giveTokenFor(t, map[string]string{v1.AnnotationVaultAddress: server.Address}, token)
}

func (m *mesh) giveTokenFor(t *testing.T, annotations map[string]string, token string) {
	t.Helper()
	secrets := m.client.CoreV1().Secrets(namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-vault-token", Namespace: namespace, Annotations: annotations},
		Data:       map[string][]byte{"token": []byte(token + "\n")},
	}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
		must(t, err)
	}
}

// awaitStatus awaits these of Ready and InUse.
func (m *mesh) awaitStatus(t *testing.T, name, ready, inUse string) {
	t.Helper()
	testkit.Await(t, "it succeeds", func() error {
		isReady, isInUse := m.says(t, name, v1.ConditionReady), m.says(t, name, v1.ConditionInUse)
		if isReady != ready || isInUse != inUse {
			return fmt.Errorf("%s: Ready is %q and InUse %q, want %q and %q\n%s", name, isReady, isInUse, ready, inUse, &m.logged)
		}
		return nil
	})
}

// awaitTrusted waits until the Manager has what the status describes: it follows
// what is recorded.
func (m *mesh) awaitTrusted(t *testing.T, roots ...*x509.Certificate) {
	t.Helper()
	want := trustbundle.New(roots...)
	testkit.Await(t, "it succeeds", func() error {
		if got := m.manager.Bundle(); !got.Equal(want) {
			return fmt.Errorf("trusted is %s, want %s", got, want)
		}
		return nil
	})
}

func readRoot(t *testing.T, server *testvault.Server) *x509.Certificate {
	t.Helper()
	client, err := server.Client("")
	must(t, err)
	answer, err := client.Logical().ReadWithContext(t.Context(), testvault.Mount+"/cert/ca")
	must(t, err)
	certificates, err := trustbundle.ParseCertificates([]byte(answer.Data["certificate"].(string)))
	must(t, err)
	return certificates[0]
}

func TestVaultSignsWithTheTokenOfASecret(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	m.run(t)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "False SecretMissing", "False RootsUnknown")
	if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "secret osm-system/osm-vault-token is not there") {
		t.Errorf("Ready returns %v", err)
	}
	m.giveToken(t, server, "")
	testkit.Await(t, "it succeeds", func() error {
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), `key "token" is missing or empty`) {
			return fmt.Errorf("Ready returns %w", err)
		}
		return nil
	})
	m.giveToken(t, server, server.Token)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	root := readRoot(t, server)
	m.mustSign(t, root, root)
	if strings.Contains(m.logged.String(), server.Token) {
		t.Error("the token is logged")
	}
}

func TestATokenThatIsReplacedEndsAnOutage(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	m.run(t)
	token := tokenThatMay(t, server, "update", "pki/sign/openservicemesh") // and not read the role
	m.giveToken(t, server, token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	root := readRoot(t, server)
	_, err := server.Write(t.Context(), "auth/token/revoke", map[string]any{"token": token})
	must(t, err)
	testkit.Await(t, "it succeeds", func() error {
		_ = m.signedBy(t.Context(), root) // fails, for the token is revoked
		if !m.manager.Health().Open {
			return errors.New("the circuit is not open")
		}
		return nil
	})
	m.Look()
	m.awaitStatus(t, "vault", "False Failing", "True Signing")
	m.giveToken(t, server, server.Token)
	testkit.Await(t, "it succeeds", func() error { return m.signedBy(t.Context(), root) })
	m.Look()
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
}

func TestVaultThatIsAwayAtTheStartSignsWhenItIsBack(t *testing.T) {
	server := startVault(t)
	root := readRoot(t, server)
	must(t, server.Seal(t.Context()))
	m := newMesh(t)
	first := m.makeRoot(t, "osm-ca-bundle")
	m.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	m.run(t)
	m.awaitStatus(t, "tresor", "True Reached", "True Signing")
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "False Unreachable", "False RootsUnknown")
	m.mustSign(t, first, first)

	must(t, server.Unseal(t.Context()))
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	m.awaitStatus(t, "tresor", "True Reached", "True Superseded")
	m.mustSign(t, root, first, root)
}

func TestVaultIsTriedBeforeItSigns(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	first := m.makeRoot(t, "osm-ca-bundle")
	m.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	m.run(t)
	m.awaitStatus(t, "tresor", "True Reached", "True Signing")
	m.giveToken(t, server, "wrong")
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "False Failing", "False RootsUnknown")
	m.mustSign(t, first, first)
	m.giveToken(t, server, tokenThatMay(t, server, "read", "pki/roles/openservicemesh"))
	m.awaitStatus(t, "vault", "False Failing", "True Trusted")
	root := readRoot(t, server)
	m.awaitTrusted(t, first, root)
	m.mustSign(t, first, first, root)
	m.giveToken(t, server, server.Token)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	m.mustSign(t, root, first, root)
}

func TestVaultThatIsPassiveIsTrustedOnly(t *testing.T) {
	server := startVault(t)
	root := readRoot(t, server)
	m := newMesh(t)
	first := m.makeRoot(t, "osm-ca-bundle")
	m.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	m.create(t, "vault", v1.Passive, vaultOf(server)) // with no token at all
	m.run(t)
	m.awaitStatus(t, "vault", "False SecretMissing", "False RootsUnknown")
	m.awaitTrusted(t, first)
	m.mustSign(t, first, first)
	m.createSecret(t, "roots", rootsOf(root))
	m.change(t, "vault", func(s *v1.MeshRootCertificateSpec) {
		s.Provider.Vault.RootsSecretRef = &v1.SecretReference{Name: "roots"}
	})
	m.awaitStatus(t, "vault", "False SecretMissing", "True Trusted")
	m.awaitTrusted(t, first, root)
	m.mustSign(t, first, first, root)
}

func rootsOf(roots ...*x509.Certificate) map[string][]byte {
	return map[string][]byte{rootsecret.CertificateKey: trustbundle.New(roots...).PEM()}
}

// tokenThatMay makes a token with a capability on a path, and no other.
func tokenThatMay(t *testing.T, server *testvault.Server, capability, path string) string {
	t.Helper()
	client, err := server.Client(server.Token)
	must(t, err)
	must(t, client.Sys().PutPolicyWithContext(t.Context(), "may", fmt.Sprintf("path %q { capabilities = [%q] }", path, capability)))
	secret, err := client.Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: []string{"may"}, TTL: "1h"})
	must(t, err)
	return secret.Auth.ClientToken
}

func TestOverHTTPRootsAreThoseOfASecret(t *testing.T) {
	server := startVaultOver(t, false)
	root := readRoot(t, server)
	m := newMesh(t)
	m.run(t)
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "False SecretMissing", "False RootsUnknown")
	for _, want := range []string{"osm-system/osm-ca-bundle", "vault.rootsSecretRef", "use https"} {
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready returns %v, which lacks %q", err, want)
		}
	}
	m.createSecret(t, "osm-ca-bundle", rootsOf(root))
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	m.mustSign(t, root, root)

	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "second.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	must(t, err)
	_, err = server.Write(t.Context(), "pki/root/replace", map[string]any{"default": "next"})
	must(t, err)
	next := readRoot(t, server)
	if err := m.signedBy(t.Context(), root); err == nil || !strings.Contains(err.Error(), "none of those given") {
		t.Errorf("error %v", err)
	}
	m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Data = rootsOf(root, next) })
	testkit.Await(t, "it succeeds", func() error { return m.signedBy(context.WithoutCancel(t.Context()), next) })
	m.mustSign(t, next, root, next)
}

func TestARootThatLiesBesideThatOfTheRoleIsToldOfOnce(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	told := make(chan string, 10)
	m.options.Warn = func(_ context.Context, name, _, note string) { told <- name + ": " + note }
	m.giveToken(t, server, server.Token)
	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "of someone", "ttl": "87600h"})
	must(t, err)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitStatus(t, "vault", "True RootsRefused", "True Signing")
	root := readRoot(t, server)
	m.mustSign(t, root, root)
	if note := <-told; !strings.HasPrefix(note, `vault: root "CN=of someone" (SHA-256 `) {
		t.Errorf("told %q", note)
	}
	m.Look()
	m.change(t, "vault", func(s *v1.MeshRootCertificateSpec) { s.Role = v1.Passive })
	testkit.Await(t, "it succeeds", func() error {
		if m.object(t, "vault").Status.ObservedGeneration != 2 {
			return errors.New("the change is not seen")
		}
		return nil
	})
	if len(told) > 0 {
		t.Errorf("told again: %s", <-told)
	}
}

func TestALoginGoesWhereItsOwnerSaysAndNowhereElse(t *testing.T) {
	server, address := startVault(t), "https://127.0.0.1:1"
	for name, test := range map[string]struct {
		annotations   map[string]string
		change        func(*Options)
		auth          v1.VaultAuth
		ready, reason string
	}{
		"a Secret that says nothing":     {ready: "False Refused", reason: "kubectl annotate secret -n osm-system osm-vault-token openservicemesh.io/vault-address=" + server.Address},
		"a Secret for another Vault":     {annotations: map[string]string{v1.AnnotationVaultAddress: address}, ready: "False Refused", reason: "names another address"},
		"a Secret for this Vault":        {annotations: map[string]string{v1.AnnotationVaultAddress: server.Address}, ready: "True Reached"},
		"the chart's for this Vault":     {change: func(o *Options) { o.VaultAddress = server.Address }, ready: "True Reached"},
		"the chart's for another Vault":  {change: func(o *Options) { o.VaultAddress = address }, ready: "False Refused", reason: "kubectl annotate"},
		"another key than the chart's":   {change: func(o *Options) { o.VaultAddress, o.VaultToken.Key = server.Address, "other" }, ready: "False Refused", reason: "kubectl annotate"},
		"the service account, elsewhere": {change: func(o *Options) { o.VaultAddress = address }, auth: v1.VaultAuth{Kubernetes: &v1.VaultKubernetesAuth{Role: "osm"}}, ready: "False Refused", reason: "osm.vault.protocol"},
		"the service account, anywhere":  {auth: v1.VaultAuth{Kubernetes: &v1.VaultKubernetesAuth{Role: "osm"}}, ready: "False Refused", reason: "may not log in"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.options.VaultToken = v1.SecretKeyReference{Name: "osm-vault-token", Key: "token"}
			if test.change != nil {
				test.change(&m.options)
			}
			m.giveTokenFor(t, test.annotations, server.Token)
			spec := vaultOf(server)
			if test.auth.Kubernetes != nil {
				spec.Vault.Auth = test.auth
			}
			m.create(t, "vault", v1.Active, spec)
			m.run(t)
			testkit.Await(t, "it succeeds", func() error {
				if got := m.says(t, "vault", v1.ConditionReady); got != test.ready {
					return fmt.Errorf("Ready is %q, want %q", got, test.ready)
				}
				return nil
			})
			if message := meta.FindStatusCondition(m.object(t, "vault").Status.Conditions, v1.ConditionReady).Message; !strings.Contains(message, test.reason) {
				t.Errorf("Ready says %q, which lacks %q", message, test.reason)
			}
		})
	}
}

func TestANewRootInVaultIsTrustedAndWhatItSignsIsNotBefore(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	before := readRoot(t, server)

	m.set(func(r *fakeRotation) { r.deaf = true })
	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "second.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	must(t, err)
	_, err = server.Write(t.Context(), "pki/root/replace", map[string]any{"default": "next"})
	must(t, err)
	after := readRoot(t, server)
	testkit.Await(t, "it succeeds", func() error { // that it does not chain is how the change is noticed
		if err := m.signedBy(t.Context(), before); err == nil || !errors.Is(err, errUnpublished) {
			return fmt.Errorf("error %w", err)
		}
		return nil
	})
	m.set(func(r *fakeRotation) { r.deaf = false })
	testkit.Await(t, "it succeeds", func() error { return m.signedBy(context.WithoutCancel(t.Context()), after) })
	m.mustSign(t, after, before, after)
}
