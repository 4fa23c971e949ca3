package bootstrap

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const presetVault = `
apiVersion: config.openservicemesh.io/v1
kind: MeshRootCertificate
metadata:
  name: osm-mesh-root-certificate
spec:
  role: Active
  provider:
    vault:
      address: https://vault
      role: openservicemesh
      auth:
        kubernetes:
          role: osm
`

// mustServeFrom checks that every webhook has a certificate that verifies with
// the roots and lasts.
func (m *fakeMesh) mustServeFrom(t *testing.T, roots trustbundle.TrustBundle) {
	t.Helper()
	for _, service := range webhooks {
		leaf, err := verifyServing(m.secret(t, ServingSecret(service)), roots, service+".osm-system.svc", time.Now())
		if err != nil {
			t.Errorf("%s: %v", service, err)
			continue
		}
		if err := checkAge(leaf, time.Now()); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}

// ownCAs are those of their own that the Secrets name.
func (m *fakeMesh) ownCAs(t *testing.T) trustbundle.TrustBundle {
	t.Helper()
	var all trustbundle.TrustBundle
	for _, name := range ServingSecrets() {
		all = all.Union((&server{secret: m.secret(t, name)}).ownCAs())
	}
	return all
}

func (m *fakeMesh) lastPublished() trustbundle.TrustBundle {
	return m.published[len(m.published)-1].bundle
}

func TestWhereAnotherAuthoritySignsTheWebhooksHaveACAOfTheirOwn(t *testing.T) {
	m := newMeshOf(presetVault)
	mustOnce(t, m)
	cas := m.ownCAs(t).Roots()
	if len(cas) != 1 {
		t.Fatalf("the CAs are %s", m.ownCAs(t))
	}
	ca := cas[0]
	if ca.Subject.CommonName != "osm-webhooks.openservicemesh.io" || ca.PublicKeyAlgorithm != x509.ECDSA || time.Until(ca.NotAfter) < servingValidity-time.Hour {
		t.Errorf("the CA is %s, of %s, until %s", ca.Subject, ca.PublicKeyAlgorithm, ca.NotAfter)
	}
	m.mustServeFrom(t, m.ownCAs(t))
	if !m.lastPublished().Equal(m.ownCAs(t)) {
		t.Errorf("published %s, want %s", m.lastPublished(), m.ownCAs(t))
	}
	if m.published[0].served > 1 {
		t.Error("certificates were there before the CA was published")
	}
}

func TestTheKeyOfTheWebhooksCAIsNowhere(t *testing.T) {
	m := newMeshOf(presetVault)
	mustOnce(t, m)
	public := m.ownCAs(t).Roots()[0].PublicKey
	list, err := m.Secrets.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range list.Items {
		leaf := (&server{secret: &secret}).leaf()
		if own, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || own.Equal(public) {
			t.Errorf("secret %s has the key", secret.Name)
		}
		if len(secret.Data) != 3 {
			t.Errorf("secret %s has %d keys", secret.Name, len(secret.Data))
		}
	}
}

func TestTheSecondTimeNothingIsSignedByAnOwnCA(t *testing.T) {
	m := newMeshOf(presetVault)
	mustOnce(t, m)
	m.client.ClearActions()
	mustOnce(t, m)
	for _, action := range m.client.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("%s of %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
}

// TestEverySwitchOverlaps switches the authority there and back, and has every
// bundle fit whatever is served when it is published.
func TestEverySwitchOverlaps(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.New(m.currentRoot(t)), nil }
	m.onPublish = func(bundle trustbundle.TrustBundle) { m.mustServeFrom(t, bundle) }
	m.setProvider(t, map[string]any{"vault": map[string]any{}})
	mustOnce(t, m)
	own := m.ownCAs(t)
	m.mustServeFrom(t, own)
	m.setProvider(t, map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": "osm-ca-bundle"}}})
	mustOnce(t, m)
	root := trustbundle.New(m.currentRoot(t))
	m.mustServeFrom(t, root)
	mustOnce(t, m)
	if want := root.Union(own); !m.lastPublished().Equal(want) {
		t.Errorf("published %s, want %s: a server may not have heard of its new certificate", m.lastPublished(), want)
	}
}

func TestAFormerCAIsForgottenInAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeshOf(presetVault)
		mustOnce(t, m)
		m.setProvider(t, map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": "osm-ca-bundle"}}})
		mustOnce(t, m)
		time.Sleep(time.Hour)
		mustOnce(t, m)
		if want := trustbundle.New(m.currentRoot(t)); !m.lastPublished().Equal(want) {
			t.Errorf("published %s, want %s", m.lastPublished(), want)
		}
	})
}

func TestACertificateOfAnOwnCAIsReplacedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeshOf(presetVault)
		mustOnce(t, m)
		first := m.ownCAs(t)
		time.Sleep(servingValidity/3*2 + 24*time.Hour)
		mustOnce(t, m)
		m.mustServeFrom(t, m.ownCAs(t))
		if m.ownCAs(t).Equal(first) {
			t.Error("the CA is the old one")
		}
	})
}

func TestAReplicaThatIsKilledLeavesNothingThatAnotherCannotFinish(t *testing.T) {
	for writes := range 4 {
		synctest.Test(t, func(t *testing.T) {
			m := newMeshOf(presetVault)
			killed, left := errors.New("killed"), writes
			kill := true
			for _, verb := range []string{"create", "update"} {
				m.client.PrependReactor(verb, "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
					if kill && left == 0 {
						return true, nil, killed
					}
					left--
					return false, nil, nil
				})
			}
			if err := m.Once(t.Context()); !errors.Is(err, killed) {
				t.Fatalf("after %d writes: error %v", writes, err)
			}
			kill = false
			mustOnce(t, m)
			m.mustServeFrom(t, m.ownCAs(t))
			if missing := slices.DeleteFunc(m.ownCAs(t).Roots(), func(ca *x509.Certificate) bool {
				return slices.ContainsFunc(m.lastPublished().Roots(), ca.Equal)
			}); len(missing) > 0 {
				t.Errorf("after %d writes: %d CAs are not published", writes, len(missing))
			}
		})
	}
}

func TestAProposalOfAnotherReplicaIsAwaitedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, start := newMeshOf(presetVault), time.Now()
		root, _, err := tresor.NewNamedRoot(ownCommonName)
		if err != nil {
			t.Fatal(err)
		}
		proposal := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-injector-tls"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{"tls.crt": nil, "tls.key": nil, "ca.crt": trustbundle.New(root).PEM()},
		}
		if _, err := m.Secrets.Create(t.Context(), proposal, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		mustOnce(t, m)
		if waited := time.Since(start); waited < proposalTime || waited > proposalTime+2*time.Second {
			t.Errorf("waited for %s", waited)
		}
		m.mustServeFrom(t, m.ownCAs(t))
	})
}

func TestASecretWithAnAuthorityThatCannotBeReadIsIssuedAnew(t *testing.T) {
	m := newMeshOf(presetVault)
	mustOnce(t, m)
	secret := m.secret(t, "osm-validator-tls")
	secret.Data["ca.crt"] = []byte("garbage")
	if _, err := m.Secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	mustOnce(t, m)
	m.mustServeFrom(t, m.ownCAs(t))
	if strings.Count(m.logged.String(), "osm-injector-tls") != 1 {
		t.Errorf("logged %s", &m.logged)
	}
}
