package bootstrap

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

func TestARootIsRenewedByWhatIsLeftOfItsLife(t *testing.T) {
	own, _, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	foreign := newShortCA(t, 99*time.Hour).Root() // which has lived for one
	const year = 8760 * time.Hour
	tests := map[string]struct {
		root    *x509.Certificate
		percent int
		left    time.Duration
		want    action
	}{
		"a new one":                                {own, 10, 10 * year, keep},
		"a new one, at the most":                   {own, 50, 10 * year, keep},
		"with more than a tenth left":              {own, 10, year + time.Hour, keep},
		"with less than a tenth left":              {own, 10, year - time.Hour, renew},
		"with less than half left":                 {own, 50, 5*year - time.Hour, renew},
		"with less than a hundredth left":          {own, 1, year/10 - time.Hour, renew},
		"with a day left":                          {own, 10, 24 * time.Hour, renew},
		"an own one, where none is renewed":        {own, 0, year - time.Hour, warn},
		"an own one, where none is renewed, early": {own, 0, year + time.Hour, keep},
		"an operator's with more left":             {foreign, 10, 11 * time.Hour, keep},
		"an operator's with less left":             {foreign, 10, 9 * time.Hour, warn},
		"an operator's, where none is renewed":     {foreign, 0, 9 * time.Hour, warn},
		"one that has ended":                       {foreign, 10, -time.Hour, warn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := actionFor(test.root, test.percent, test.root.NotAfter.Add(-test.left)); got != test.want {
				t.Errorf("its action is %d, want %d", got, test.want)
			}
		})
	}
}

func TestARootOfTheMeshIsRenewedOnceAndFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh()
		m.RenewalPercent, m.Settle = 10, testSettle
		mustOnce(t, m)
		first := m.currentRoot(t)
		m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.New(first), nil }
		time.Sleep(tresor.RootValidity/10*9 - time.Hour)
		mustOnce(t, m)
		if !m.currentRoot(t).Equal(first) || len(m.renewed) > 0 {
			t.Fatal("it is renewed early")
		}
		time.Sleep(2 * time.Hour)
		m.onPublish = func(bundle trustbundle.TrustBundle) { m.mustServe(t, bundle) }
		mustOnce(t, m)
		mustOnce(t, m)
		second := m.currentRoot(t)
		if second.Equal(first) || time.Until(second.NotAfter) < tresor.RootValidity-time.Hour {
			t.Errorf("the root ends at %s", second.NotAfter)
		}
		if !slices.Equal(m.renewed, []string{"osm-ca-bundle osm-ca.openservicemesh.io"}) || len(m.expiring) > 0 {
			t.Errorf("reported %q and %q", m.renewed, m.expiring)
		}
		m.mustServeFrom(t, trustbundle.New(second))
	})
}

// mustServe checks that every serving certificate verifies, however old it is.
func (m *fakeMesh) mustServe(t *testing.T, roots trustbundle.TrustBundle) {
	t.Helper()
	for _, service := range webhooks {
		if _, err := verifyServing(m.secret(t, ServingSecret(service)), roots, service+".osm-system.svc", time.Now()); err != nil {
			t.Errorf("%s: %v", service, err)
		}
	}
}

func TestARootThatIsNotTheMeshsIsReportedAndLeftAlone(t *testing.T) {
	tests := map[string]func(*testing.T, *fakeMesh){
		"it is of an operator's Secret": func(t *testing.T, m *fakeMesh) {
			m.relabel(t, map[string]string{"team": "platform"})
		},
		"it belongs to another mesh": func(t *testing.T, m *fakeMesh) {
			m.relabel(t, map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "other"})
		},
		"an operator's is in the mesh's Secret": func(t *testing.T, m *fakeMesh) {
			root, key := newShortRoot(t, tresor.RootValidity)
			m.putRoot(t, root, key)
		},
		"nothing is renewed": func(_ *testing.T, m *fakeMesh) { m.RenewalPercent = 0 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh()
				m.RenewalPercent = 10
				mustOnce(t, m)
				change(t, m)
				time.Sleep(tresor.RootValidity / 100 * 95)
				before := m.secret(t, "osm-ca-bundle")
				mustOnce(t, m)
				if after := m.secret(t, "osm-ca-bundle"); !slices.Equal(after.Data["ca.crt"], before.Data["ca.crt"]) {
					t.Error("it is replaced")
				}
				if len(m.expiring) != 1 || !strings.HasPrefix(m.expiring[0], "osm-ca-bundle ") || len(m.renewed) > 0 {
					t.Errorf("reported %q and %q", m.renewed, m.expiring)
				}
			})
		})
	}
}

func (m *fakeMesh) relabel(t *testing.T, labels map[string]string) {
	t.Helper()
	m.update(t, func(secret *corev1.Secret) { secret.Labels = labels })
}

// putRoot replaces the root as an operator does that applies a Secret over it.
func (m *fakeMesh) putRoot(t *testing.T, root *x509.Certificate, key crypto.Signer) {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	m.update(t, func(secret *corev1.Secret) {
		secret.Data = map[string][]byte{
			"ca.crt":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}),
			"private.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		}
	})
}

func (m *fakeMesh) update(t *testing.T, change func(*corev1.Secret)) {
	t.Helper()
	secret := m.secret(t, "osm-ca-bundle")
	change(secret)
	if _, err := m.Secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestRootsWhoseKeyTheMeshDoesNotHaveAreReported(t *testing.T) {
	m := newMeshOf(presetVault)
	m.RenewalPercent = 10
	m.current = trustbundle.New(newShortCA(t, time.Minute).Root(), newShortCA(t, 30*time.Minute).Root())
	mustOnce(t, m)
	if !slices.Equal(m.expiring, []string{"osm-ca-bundle root"}) {
		t.Errorf("reported %q", m.expiring)
	}
}
