package bootstrap

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const testSettle = 10 * time.Second

// withRoots runs a test on a mesh that waits for API servers, and gives the
// mesh's first root. It is recorded as trusted, if it is.
func withRoots(t *testing.T, recorded bool, test func(*testing.T, *fakeMesh, trustbundle.TrustBundle)) {
	synctest.Test(t, func(t *testing.T) {
		m, start := newMesh(), time.Now()
		m.Settle = testSettle
		mustOnce(t, m)
		if waited := time.Since(start); waited > 0 {
			t.Errorf("the first installation waits for %s", waited)
		}
		first := trustbundle.New(m.currentRoot(t))
		m.trusted = func() (trustbundle.TrustBundle, error) {
			if !recorded {
				return trustbundle.TrustBundle{}, nil
			}
			return first, nil
		}
		time.Sleep(2 * retirement)
		mustOnce(t, m)
		test(t, m, first)
	})
}

func (m *fakeMesh) deleteSecret(t *testing.T, name string) {
	t.Helper()
	if err := m.Secrets.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// mustRound carries out the steps once, and fails unless they have to wait so long.
func (m *fakeMesh) mustRound(t *testing.T, want time.Duration) {
	t.Helper()
	r := m.round(t.Context())
	if err := r.failure(); err != nil || r.again != want {
		t.Fatalf("again in %s, error %v, want %s", r.again, err, want)
	}
}

func TestAServingCertificateThatIsAcceptedIsReplacedWhenTheNewRootIsKnownForAWhile(t *testing.T) {
	for name, recorded := range map[string]bool{"the old root is recorded": true, "no one recorded the old root": false} {
		t.Run(name, func(t *testing.T) {
			withRoots(t, recorded, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
				m.deleteSecret(t, "osm-ca-bundle")
				m.onPublish = func(bundle trustbundle.TrustBundle) { m.mustServeFrom(t, bundle) }
				m.mustRound(t, testSettle)
				second := trustbundle.New(m.currentRoot(t))
				both := first.Union(second)
				if !m.lastPublished().Equal(both) {
					t.Errorf("published %s, want %s", m.lastPublished(), both)
				}
				m.mustServeFrom(t, first)
				time.Sleep(testSettle - time.Second)
				m.mustRound(t, time.Second)
				m.mustServeFrom(t, first)
				time.Sleep(time.Second)
				m.mustRound(t, 0)
				m.mustServeFrom(t, second)
				m.mustRound(t, 0)
				if !m.lastPublished().Equal(both) {
					t.Errorf("published %s, want %s: a server may not have heard of its certificate", m.lastPublished(), both)
				}
			})
		})
	}
}

func TestAChangedCABundleHasToSettleAnew(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-ca-bundle")
		m.mustRound(t, testSettle)
		time.Sleep(testSettle - time.Second)
		if _, err := m.Publish(t.Context(), first.PEM()); err != nil { // a replica that has not heard of the new root
			t.Fatal(err)
		}
		m.mustRound(t, testSettle)
		m.mustServeFrom(t, first)
	})
}

func TestAProcessThatIsStartedAnewWaitsAnew(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-ca-bundle")
		m.mustRound(t, testSettle)
		time.Sleep(testSettle - time.Second)
		m.Bootstrap = New(m.Options)
		m.mustRound(t, testSettle)
		m.mustServeFrom(t, first)
		mustOnce(t, m) // as a Job does, which waits
		m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
	})
}

func TestAServingCertificateThatIsOfNoUseIsReplacedAtOnce(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-ca-bundle")
		m.deleteSecret(t, "osm-injector-tls")
		spoilt := m.secret(t, "osm-validator-tls")
		spoilt.Data["tls.key"] = nil
		if _, err := m.Secrets.Update(t.Context(), spoilt, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		m.mustRound(t, testSettle)
		root := m.currentRoot(t)
		for _, name := range []string{"osm-injector-tls", "osm-validator-tls"} {
			if err := leafOf(t, m.secret(t, name)).CheckSignatureFrom(root); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := leafOf(t, m.secret(t, "osm-bootstrap-tls")).CheckSignatureFrom(first.Roots()[0]); err != nil {
			t.Errorf("the one that is accepted is replaced: %v", err)
		}
	})
}

func TestARootThatIsTrustedNoMoreIsKeptForAsLongAsAServerNeedsIt(t *testing.T) {
	withRoots(t, false, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-ca-bundle")
		mustOnce(t, m)
		second := trustbundle.New(m.currentRoot(t))
		time.Sleep(retirement)
		mustOnce(t, m)
		if !m.lastPublished().Equal(second) {
			t.Errorf("published %s, want %s", m.lastPublished(), second)
		}
	})
}

func TestACAOfItsOwnSettlesToo(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-bootstrap-tls")
		m.setProvider(t, map[string]any{"vault": map[string]any{}})
		start := time.Now()
		m.onPublish = func(bundle trustbundle.TrustBundle) {
			if time.Since(start) > 0 {
				m.mustServeFrom(t, bundle)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), testSettle-time.Second)
		defer cancel()
		if err := m.Once(ctx); err == nil {
			t.Fatal("it did not wait")
		}
		if err := leafOf(t, m.secret(t, "osm-injector-tls")).CheckSignatureFrom(first.Roots()[0]); err != nil {
			t.Errorf("one that is accepted is replaced: %v", err)
		}
		m.mustServeFrom(t, m.ownCAs(t).Union(first)) // osm-bootstrap's at once
		mustOnce(t, m)
		m.mustServeFrom(t, m.ownCAs(t))
	})
}

func TestAChangeIsTakenUpWhileACABundleSettles(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, _ trustbundle.TrustBundle) {
		m.deleteSecret(t, "osm-ca-bundle")
		changed := make(chan struct{}, 1)
		r := &Runner{Bootstrap: m.Bootstrap, Changed: changed}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(testSettle / 2)
		synctest.Wait()
		m.deleteSecret(t, "osm-ca-bundle") // once more
		changed <- struct{}{}
		synctest.Wait()
		root := trustbundle.New(m.currentRoot(t))
		time.Sleep(testSettle)
		synctest.Wait()
		m.mustServeFrom(t, root)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// What else fails is tried again later and later.
func TestWhatHasSettledIsServedThoughAnotherStepFails(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, _ trustbundle.TrustBundle) {
		m.addRoot(t, "second", "Passive")
		refused := rootSecretOf(map[string][]byte{rootsecret.CertificateKey: []byte("garbage")})
		refused.Name = "second"
		m.createSecret(t, refused)
		changed := make(chan struct{}, 1)
		r := &Runner{Bootstrap: m.Bootstrap, Changed: changed}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(2 * lastRetry)
		synctest.Wait()
		m.deleteSecret(t, "osm-ca-bundle")
		changed <- struct{}{}
		time.Sleep(testSettle)
		synctest.Wait()
		m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		m.deleteSecret(t, "osm-ca-bundle")
		if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "secret osm-system/second is refused") {
			t.Errorf("once: %v", err)
		}
		m.mustServeFrom(t, trustbundle.New(m.currentRoot(t)))
	})
}

func TestARevokedRootLeavesTheCABundleWithItsLastServingCertificate(t *testing.T) {
	withRoots(t, true, func(t *testing.T, m *fakeMesh, first trustbundle.TrustBundle) {
		m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.TrustBundle{}, nil } // it is dropped
		m.addRoot(t, "second", "Active")
		m.setRole(t, "osm-mesh-root-certificate", "Revoked")
		m.onPublish = func(bundle trustbundle.TrustBundle) { m.mustServeFrom(t, bundle) }
		m.mustRound(t, testSettle)
		time.Sleep(testSettle)
		m.mustRound(t, 0)
		m.mustRound(t, 0)
		second := m.presentRoots(t.Context(), "second")
		if second.IsEmpty() || !m.lastPublished().Equal(second) {
			t.Errorf("published %s, want %s", m.lastPublished(), second)
		}
	})
}
