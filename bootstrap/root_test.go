package bootstrap

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

const presetCertManager = `
apiVersion: config.openservicemesh.io/v1
kind: MeshRootCertificate
metadata:
  name: osm-mesh-root-certificate
spec:
  role: Active
  provider:
    certManager:
      issuerRef:
        name: osm-ca
`

// rootSecretOf returns the root's Secret with this data.
func rootSecretOf(data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-ca-bundle"}, Data: data}
}

func TestTheRootsOfVaultAreShownWithoutAKey(t *testing.T) {
	m := newMeshOf(presetVault)
	mustOnce(t, m)
	if _, err := m.Secrets.Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("there is a Secret before the roots are known: %v", err)
	}
	for range 2 { // the second time, the roots have changed
		m.current = trustbundle.New(testkit.CA(t).Root(), testkit.CA(t).Root())
		m.trusted = func() (trustbundle.TrustBundle, error) {
			return m.current.Union(trustbundle.New(testkit.CA(t).Root())), nil
		}
		mustOnce(t, m)
		secret := m.secret(t, "osm-ca-bundle")
		shown, err := rootsecret.ParseRoots(secret, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if !shown.Equal(m.current) || len(secret.Data) != 2 || secret.Type != corev1.SecretTypeOpaque {
			t.Errorf("shown are %s of %d keys, want %s", shown, len(secret.Data), m.current)
		}
	}
	if !slices.ContainsFunc(m.lastPublished().Roots(), m.current.Roots()[0].Equal) {
		t.Error("what is trusted is not published")
	}
}

func TestTheRootsOfVaultThatAreGivenAreDemandedAndNotOverwritten(t *testing.T) {
	for name, test := range map[string]struct {
		vault  map[string]any
		secret string
	}{
		"over http":       {map[string]any{"address": "http://vault"}, "osm-ca-bundle"},
		"by the mesh's":   {map[string]any{"address": "https://vault", "rootsSecretRef": map[string]any{"name": "osm-ca-bundle"}}, "osm-ca-bundle"},
		"by one of their": {map[string]any{"address": "http://vault", "rootsSecretRef": map[string]any{"name": "roots"}}, "roots"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMeshOf(presetVault)
			mustOnce(t, m)
			m.setProvider(t, map[string]any{"vault": test.vault})
			m.current = trustbundle.New(testkit.CA(t).Root())
			if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "osm-system/"+test.secret) {
				t.Fatalf("without a Secret, error %v", err)
			}
			given := trustbundle.New(testkit.CA(t).Root()).PEM()
			secret := rootSecretOf(map[string][]byte{rootsecret.CertificateKey: given})
			secret.Name = test.secret
			if _, err := m.Secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			mustOnce(t, m)
			if got := m.secret(t, test.secret).Data; !bytes.Equal(got[rootsecret.CertificateKey], given) || len(got) != 1 {
				t.Errorf("the Secret was written to, and has %d keys", len(got))
			}
		})
	}
}

func TestASecretWithAKeyIsNotOverwrittenByTheRootsOfVault(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	root := m.currentRoot(t)
	m.setProvider(t, map[string]any{"vault": map[string]any{}})
	m.current = trustbundle.New(testkit.CA(t).Root())
	mustOnce(t, m)
	if !m.currentRoot(t).Equal(root) {
		t.Error("the root is another")
	}
}

func TestEveryRootOfTheBuiltInAuthorityThatIsUsedIsMade(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	m.addRoot(t, "second", "Passive")
	mustOnce(t, m)
	if _, err := rootsecret.Parse(m.secret(t, "second"), time.Now()); err != nil {
		t.Error(err)
	}
	m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
}

func TestTheRootOfCertManagerHasToBeThere(t *testing.T) {
	root := trustbundle.New(testkit.CA(t).Root()).PEM()
	tests := map[string]struct {
		secret  *corev1.Secret
		problem string // "" when it is taken
		key     string
	}{
		"it is there":          {rootSecretOf(map[string][]byte{"ca.crt": root}), "", ""},
		"there is none":        {nil, "the secret does not exist", "ca.crt"},
		"it is empty":          {rootSecretOf(nil), "it is missing or empty", "ca.crt"},
		"it is garbage":        {rootSecretOf(map[string][]byte{"ca.crt": []byte("garbage")}), "not PEM", "ca.crt"},
		"it comes with a key":  {rootSecretOf(map[string][]byte{"ca.crt": root, "private.key": []byte("secret")}), "it does not belong there", "private.key"},
		"it ends at all times": {rootSecretOf(map[string][]byte{"ca.crt": root, "expiration": []byte("tomorrow")}), "not an ISO 8601 time", "expiration"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMeshOf(presetCertManager)
			if test.secret != nil {
				if _, err := m.Secrets.Create(t.Context(), test.secret, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			err := m.Once(t.Context())
			m.mustServeFrom(t, m.lastPublished()) // whatever is wrong with the root
			if test.problem == "" {
				if err != nil || len(m.refused) > 0 {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.problem) || !strings.Contains(err.Error(), "to fix it") {
				t.Errorf("error %v, want %s", err, test.problem)
			}
			if len(m.refused) != 1 || m.refused[0].Key != test.key {
				t.Errorf("reported %v", m.refused)
			}
		})
	}
}

func TestTheRootOfCertManagerIsWhereItsObjectSays(t *testing.T) {
	m := newMeshOf(presetCertManager + "      rootsSecretRef: {name: roots}\n")
	if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "secret osm-system/roots") {
		t.Errorf("error %v", err)
	}
	secret := rootSecretOf(map[string][]byte{"ca.crt": trustbundle.New(testkit.CA(t).Root()).PEM()})
	secret.Name = "roots"
	if _, err := m.Secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	mustOnce(t, m)
}
