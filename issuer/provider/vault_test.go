package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
	testvault "github.com/osm-edge/osm/test/vault"
)

// patience is how long something may take that happens by itself.
const patience = 20 * time.Second

func startVault(t *testing.T) *testvault.Server {
	t.Helper()
	server, err := testvault.Start(t.Context(), testvault.Options{Dir: t.TempDir(), TLS: true})
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

// giveToken has the Secret hold a token.
func (m *mesh) giveToken(t *testing.T, token string) {
	t.Helper()
	secrets := m.client.CoreV1().Secrets(namespace)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-vault-token", Namespace: namespace},
		Data:       map[string][]byte{"token": []byte(token + "\n")},
	}
	if _, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
		must(t, err)
	}
}

// await returns when done does not fail any more.
func await(t *testing.T, done func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for err := done(); err != nil; err = done() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// awaitStatus awaits these of Ready and InUse.
func (m *mesh) awaitStatus(t *testing.T, name, ready, inUse string) {
	t.Helper()
	await(t, func() error {
		isReady, isInUse := m.says(t, name, v1.ConditionReady), m.says(t, name, v1.ConditionInUse)
		if isReady != ready || isInUse != inUse {
			return fmt.Errorf("%s: Ready is %q and InUse %q, want %q and %q\n%s", name, isReady, isInUse, ready, inUse, &m.logged)
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
	certificates, err := issuer.ParseCertificates([]byte(answer.Data["certificate"].(string)))
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
	m.giveToken(t, "")
	await(t, func() error {
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), `key "token" is missing or empty`) {
			return fmt.Errorf("Ready returns %w", err)
		}
		return nil
	})
	m.giveToken(t, server.Token)
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
	m.giveToken(t, "wrong")
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	root := readRoot(t, server)
	await(t, func() error {
		if err := m.signedBy(t.Context(), root); err == nil {
			t.Fatal("Vault signs for anybody")
		}
		if !m.manager.Health().Open {
			return errors.New("the circuit is not open")
		}
		return nil
	})
	m.Look()
	m.awaitStatus(t, "vault", "False Failing", "True Signing")
	m.giveToken(t, server.Token)
	await(t, func() error { return m.signedBy(t.Context(), root) })
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
	m.giveToken(t, server.Token)
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
	m.giveToken(t, "wrong")
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.awaitStatus(t, "vault", "False Failing", "True Trusted")
	root := readRoot(t, server)
	m.mustSign(t, first, first, root)
	m.giveToken(t, server.Token)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	m.mustSign(t, root, first, root)
}

func TestVaultThatIsPassiveIsTrustedOnly(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	first := m.makeRoot(t, "osm-ca-bundle")
	m.create(t, "tresor", v1.Active, tresorOf("osm-ca-bundle"))
	m.create(t, "vault", v1.Passive, vaultOf(server)) // with no token at all
	m.run(t)
	m.awaitStatus(t, "vault", "False SecretMissing", "True Trusted")
	m.mustSign(t, first, first, readRoot(t, server))
}

func TestANewRootInVaultIsTrustedAndWhatItSignsIsNotBefore(t *testing.T) {
	server := startVault(t)
	m := newMesh(t)
	m.giveToken(t, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitStatus(t, "vault", "True Reached", "True Signing")
	before := readRoot(t, server)

	m.set(func(r *rotation) { r.deaf = true })
	_, err := server.Write(t.Context(), "pki/root/rotate/internal", map[string]any{"common_name": "second.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	must(t, err)
	_, err = server.Write(t.Context(), "pki/root/replace", map[string]any{"default": "next"})
	must(t, err)
	after := readRoot(t, server)
	await(t, func() error { // that it does not chain is how the change is noticed
		if err := m.signedBy(t.Context(), before); err == nil || !errors.Is(err, errUnpublished) {
			return fmt.Errorf("error %w", err)
		}
		return nil
	})
	m.set(func(r *rotation) { r.deaf = false })
	await(t, func() error { return m.signedBy(context.WithoutCancel(t.Context()), after) })
	m.mustSign(t, after, before, after)
}
