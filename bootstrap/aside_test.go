package bootstrap

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

// once returns a Runner that has carried out the steps of the mesh once.
func (m *fakeMesh) once(t *testing.T) *Runner {
	t.Helper()
	r, latest := &Runner{Bootstrap: m.Bootstrap}, m.round(t.Context())
	r.latest.Store(&latest)
	return r
}

// mustBeReady fails unless it is ready, and warns so.
func (r *Runner) mustBeReady(t *testing.T, warns string) {
	t.Helper()
	if err := r.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if all := strings.Join(r.Warnings(), "\n"); !strings.Contains(all, warns) || len(r.Warnings()) > 1 || warns == "" && all != "" {
		t.Errorf("it warns %q, want %q", all, warns)
	}
}

func (m *fakeMesh) createSecret(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	if _, err := m.Secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// seal has the API server refuse changes of immutable Secrets, which the fake
// does not.
func (m *fakeMesh) seal(t *testing.T, name string) {
	t.Helper()
	secret := m.secret(t, name)
	secret.Immutable = new(true)
	if _, err := m.Secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	refuse := func(action clienttesting.Action) (bool, runtime.Object, error) {
		named, ok := action.(interface{ GetName() string })
		if update, is := action.(clienttesting.UpdateAction); is {
			ok, named = true, update.GetObject().(*corev1.Secret)
		}
		if !ok || named.GetName() != name {
			return false, nil, nil
		}
		return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, name, nil)
	}
	m.client.PrependReactor("patch", "secrets", refuse)
	m.client.PrependReactor("update", "secrets", refuse)
}

func TestARootThatDoesNotSignAndIsRefusedKeepsNothingFromBeingServed(t *testing.T) {
	for _, role := range []string{"Passive", "Active"} {
		t.Run(role, func(t *testing.T) {
			m := newMesh()
			mustOnce(t, m)
			root := m.currentRoot(t)
			m.addRoot(t, "second", role)
			if role == "Active" {
				m.setRole(t, "osm-mesh-root-certificate", "Passive")
			}
			refused := rootSecretOf(map[string][]byte{rootsecret.CertificateKey: []byte("garbage")})
			refused.Name = "second"
			m.createSecret(t, refused)
			if err := m.Secrets.Delete(t.Context(), "osm-validator-tls", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.New(root), nil }
			m.once(t).mustBeReady(t, "secret osm-system/second is refused")
			m.mustServe(t, m.lastPublished())
			if len(m.refused) != 1 || m.refused[0].Name != "second" {
				t.Errorf("reported %v", m.refused)
			}
		})
	}
}

func TestAnImmutableRootWithoutAnExpirationIsUsed(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	other := newMesh()
	mustOnce(t, other)
	m.update(t, func(secret *corev1.Secret) {
		secret.Data = other.secret(t, "osm-ca-bundle").Data
		delete(secret.Data, rootsecret.ExpirationKey)
	})
	m.seal(t, "osm-ca-bundle")
	m.once(t).mustBeReady(t, "")
	m.mustServeFrom(t, trustbundle.New(other.currentRoot(t)))
}

func TestAnExpirationThatCannotBeAddedKeepsNothingFromBeingServed(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	m.update(t, func(secret *corev1.Secret) { delete(secret.Data, rootsecret.ExpirationKey) })
	m.client.PrependReactor("patch", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errForbidden })
	m.once(t).mustBeReady(t, `add the key "expiration" to secret osm-ca-bundle: forbidden`)
	m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
}

func TestARootThatCannotBeRenewedIsUsedToItsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*testing.T, *fakeMesh)
		warns  string
		told   []string
	}{
		"it is immutable": {func(t *testing.T, m *fakeMesh) { m.seal(t, "osm-ca-bundle") }, "", []string{"osm-ca-bundle osm-ca.openservicemesh.io"}},
		"it may not be written": {func(_ *testing.T, m *fakeMesh) {
			m.client.PrependReactor("patch", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errForbidden })
		}, "renew the root: ", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMesh()
				m.RenewalPercent = 10
				mustOnce(t, m)
				root := m.currentRoot(t)
				test.change(t, m)
				time.Sleep(tresor.RootValidity / 100 * 95)
				m.once(t).mustBeReady(t, test.warns)
				m.mustServe(t, trustbundle.New(root))
				if !slices.Equal(m.expiring, test.told) {
					t.Errorf("reported %q", m.expiring)
				}
			})
		})
	}
}

func TestRootsOfVaultThatCannotBeShownKeepNothingFromBeingServed(t *testing.T) {
	m := newMeshOf(presetVault)
	m.createSecret(t, rootSecretOf(map[string][]byte{rootsecret.CertificateKey: trustbundle.New(testkit.CA(t).Root()).PEM()}))
	m.seal(t, "osm-ca-bundle")
	m.current = trustbundle.New(testkit.CA(t).Root())
	m.once(t).mustBeReady(t, "secret osm-system/osm-ca-bundle is refused: key \"ca.crt\": it is immutable, and does not show the roots of today; to fix it, delete the secret")
	m.mustServeFrom(t, m.lastPublished())
}

func TestASecretThatOneWebhookCannotUseDoesNotKeepTheOthersFromTheirs(t *testing.T) {
	opaque := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-injector-tls"}, Type: corev1.SecretTypeOpaque}
	sealed := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-injector-tls"}, Type: corev1.SecretTypeTLS}
	for authority, preset := range map[string]string{"from the root": presetRoot, "from a CA of their own": presetVault} {
		for problem, secret := range map[string]*corev1.Secret{"is of type Opaque": opaque, "is immutable": sealed} {
			t.Run(problem+", "+authority, func(t *testing.T) {
				m := newMeshOf(preset)
				m.createSecret(t, secret.DeepCopy())
				if secret == sealed {
					m.seal(t, "osm-injector-tls")
				}
				m.once(t).mustBeReady(t, "serving certificate of osm-injector: secret osm-system/osm-injector-tls "+problem)
				for _, service := range []string{"osm-validator", "osm-bootstrap"} {
					if _, err := verifyServing(m.secret(t, ServingSecret(service)), m.lastPublished(), service+".osm-system.svc", time.Now()); err != nil {
						t.Errorf("%s: %v", service, err)
					}
				}
			})
		}
	}
}

func TestItIsNotReadyWithoutACertificateOfItsOwn(t *testing.T) {
	for authority, preset := range map[string]string{"from the root": presetRoot, "from a CA of its own": presetVault} {
		t.Run(authority, func(t *testing.T) {
			m := newMeshOf(preset)
			m.createSecret(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-bootstrap-tls"}, Type: corev1.SecretTypeTLS})
			m.seal(t, "osm-bootstrap-tls")
			if err := m.once(t).Ready(); err == nil || !strings.Contains(err.Error(), "osm-bootstrap-tls is immutable") {
				t.Errorf("Ready returns %v", err)
			}
			for _, service := range []string{"osm-validator", "osm-injector"} {
				if _, err := verifyServing(m.secret(t, ServingSecret(service)), m.lastPublished(), service+".osm-system.svc", time.Now()); err != nil {
					t.Errorf("%s: %v", service, err)
				}
			}
		})
	}
}

func TestAWebhookWithoutConfigurationIsNotWaitedFor(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "mutatingwebhookconfigurations"}, "osm-webhook-osm")
	for name, test := range map[string]struct {
		err   error
		ready bool
	}{
		"one is missing":              {missing, true},
		"both are missing":            {errors.Join(missing, missing), true},
		"one may not be written":      {errForbidden, false},
		"one is missing, one refused": {errors.Join(missing, errForbidden), false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			m.publishFails = test.err
			r := m.once(t)
			if !test.ready {
				if err := r.Ready(); !errors.Is(err, errForbidden) {
					t.Errorf("Ready returns %v", err)
				}
				return
			}
			r.mustBeReady(t, "publish the webhooks' roots: ")
			m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
		})
	}
}

func TestWithoutAPresetTheWebhooksAreServed(t *testing.T) {
	m := newMesh()
	if err := m.ConfigMaps.Delete(t.Context(), "osm-preset", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	m.once(t).mustBeReady(t, "preset osm-system/osm-preset: read the ConfigMap")
	m.mustServeFrom(t, m.lastPublished())
}
