package provider

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// startTresor runs a mesh whose one root is that of osm-ca-bundle.
func startTresor(t *testing.T) *mesh {
	t.Helper()
	m := startMesh(t)
	m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
	settle()
	return m
}

func wantUnready(t *testing.T, m *mesh, words string) {
	t.Helper()
	if err := m.Ready(); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("Ready returns %v, want %q", err, words)
	}
}

func TestWithoutARootItSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		wantUnready(t, m, "no MeshRootCertificate in namespace osm-system is Active: osm-bootstrap creates the first")
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		settle()
		wantUnready(t, m, "MeshRootCertificate first: secret osm-system/osm-ca-bundle is not there, with the root certificate: osm-bootstrap creates it")
		m.wantStatus(t, "first", "False SecretMissing", "False RootsUnknown")
		if !m.manager.Bundle().IsEmpty() {
			t.Error("something is trusted")
		}
	})
}

func TestTheFirstRootSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.mustSign(t, root, root)
		m.wantStatus(t, "first", "True Reached", "True Signing")
	})
}

func TestAReplacedRootSignsNoMoreAndStaysTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.deleteSecret(t, "osm-ca-bundle")
		settle()
		m.mustSign(t, first, first)
		m.wantStatus(t, "first", "False SecretMissing", "True Signing")
		second := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.mustSign(t, second, first, second)

		m.retire()
		m.mustSign(t, second, second)
	})
}

func TestARefusedSecretLeavesTheRootThatSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		before := m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Data[rootsecret.PrivateKeyKey] = []byte("garbage") })
		settle()
		m.mustSign(t, root, root)
		m.wantStatus(t, "first", "False Refused", "True Signing")
		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Data = before.Data })
		settle()
		m.mustSign(t, root, root)
		m.wantStatus(t, "first", "True Reached", "True Signing")
		m.deleteSecret(t, "osm-ca-bundle")
		second := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.mustSign(t, second, root, second)
	})
}

func TestAFirstSecretThatIsRefusedKeepsItFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		root := m.makeRoot(t, "osm-ca-bundle")
		before := m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { delete(s.Data, rootsecret.CertificateKey) })
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		settle()
		wantUnready(t, m, `is refused: key "ca.crt": it is missing or empty`)
		m.wantStatus(t, "first", "False Refused", "False RootsUnknown")
		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Data = before.Data })
		settle()
		m.mustSign(t, root, root)
	})
}

func TestNothingIsSignedBeforeTheRootIsTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		m.set(func(r *fakeRotation) { r.away = true })
		root := m.makeRoot(t, "osm-ca-bundle")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		wantUnready(t, m, "it is not recorded yet which roots are trusted")
		if !m.manager.Bundle().IsEmpty() {
			t.Error("the manager has the root already")
		}
		m.set(func(r *fakeRotation) { r.away = false })
		settle()
		m.mustSign(t, root, root)
	})
}

func TestASecretThatChangesOtherwiseIsTheSameRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Labels = map[string]string{"team": "platform"} })
		settle()
		m.mustSign(t, root, root)
		if n := strings.Count(m.logged.String(), "a root signs"); n != 1 {
			t.Errorf("said %d times that a root signs", n)
		}
	})
}

func TestItReadsTheSecretsThatItIsToldAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		actions := m.client.(*fake.Clientset).Actions()
		for _, action := range actions {
			var selector string
			switch action := action.(type) {
			case clienttesting.ListAction:
				selector = action.GetListRestrictions().Fields.String()
			case clienttesting.WatchAction:
				selector = action.GetWatchRestrictions().Fields.String()
			}
			if action.GetNamespace() != namespace || selector != "metadata.name=osm-ca-bundle" {
				t.Errorf("%s of %s in namespace %q with selector %q", action.GetVerb(), action.GetResource().Resource, action.GetNamespace(), selector)
			}
		}
		if len(actions) == 0 {
			t.Error("it reads nothing")
		}
	})
}

func TestWhatIsIgnoredInAnOperatorsSecretIsToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		var told []string
		m.options.Ignored = func(_ context.Context, name, note string) { told = append(told, name+": "+note) }
		m.run(t)
		m.create(t, "first", v1.Active, tresorOf("osm-ca-bundle"))
		root := m.makeRoot(t, "osm-ca-bundle")
		settle()
		text := func(s *corev1.Secret) {
			s.Data[rootsecret.CertificateKey] = append([]byte("# the root of 2026\r\n"), s.Data[rootsecret.CertificateKey]...)
			s.Data[rootsecret.PrivateKeyKey] = append(s.Data[rootsecret.PrivateKeyKey], s.Data[rootsecret.PrivateKeyKey]...)
		}
		m.edit(t, "osm-ca-bundle", text)
		settle()
		m.mustSign(t, root, root)
		m.wantStatus(t, "first", "True Reached", "True Signing")
		m.edit(t, "osm-ca-bundle", func(s *corev1.Secret) { s.Labels = map[string]string{"team": "platform"} })
		settle()
		want := `first: used without what is ignored: secret osm-system/osm-ca-bundle, key "ca.crt": 1 line of text outside of PEM blocks; key "private.key": 1 repeated block`
		if len(told) != 1 || told[0] != want {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}
