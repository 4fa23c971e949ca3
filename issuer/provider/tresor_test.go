package provider

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/rootsecret"
)

func TestWithoutARootItSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "secret osm-system/osm-ca-bundle with the root certificate is not there yet: osm-bootstrap creates it") {
			t.Errorf("Ready returns %v", err)
		}
		if !m.manager.Bundle().IsEmpty() {
			t.Error("something is trusted")
		}
	})
}

func TestTheFirstRootSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		root := m.makeRoot(t)
		m.mustSign(t, root, root)
	})
}

func TestAReplacedRootSignsNoMoreAndStaysTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		first := m.makeRoot(t)
		m.deleteSecret(t)
		m.mustSign(t, first, first)
		second := m.makeRoot(t)
		m.mustSign(t, second, first, second)

		m.forget() // the first has retired
		time.Sleep(resync + time.Second)
		synctest.Wait()
		m.mustSign(t, second, second)
	})
}

func TestARefusedSecretLeavesTheRootThatSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		root := m.makeRoot(t)
		before := m.edit(t, func(s *corev1.Secret) { s.Data[rootsecret.PrivateKeyKey] = []byte("garbage") })
		m.mustSign(t, root, root)
		for _, want := range []string{"level=ERROR", "secret osm-system/osm-ca-bundle is refused", `key \"private.key\"`} {
			if !strings.Contains(m.logged.String(), want) {
				t.Errorf("logged %q, which lacks %q", &m.logged, want)
			}
		}
		m.edit(t, func(s *corev1.Secret) { s.Data = before.Data })
		m.mustSign(t, root, root)
		m.deleteSecret(t)
		second := m.makeRoot(t)
		m.mustSign(t, second, root, second)
	})
}

func TestAFirstSecretThatIsRefusedKeepsItFromBeingReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		refuse := errors.New("not to be trusted before it is refused")
		m.failure.Store(&refuse)
		root := m.makeRoot(t)
		before := m.edit(t, func(s *corev1.Secret) { delete(s.Data, rootsecret.CertificateKey) })
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), `is refused: key "ca.crt": it is missing or empty`) {
			t.Errorf("Ready returns %v", err)
		}
		m.failure.Store(nil)
		m.edit(t, func(s *corev1.Secret) { s.Data = before.Data })
		m.mustSign(t, root, root)
	})
}

func TestNothingIsSignedBeforeTheRootIsTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		away := errors.New("the API server is away")
		m.failure.Store(&away)
		root := m.makeRoot(t)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "publish the trusted roots: the API server is away") {
			t.Errorf("Ready returns %v", err)
		}
		if !m.manager.Bundle().IsEmpty() {
			t.Error("the manager has the root already")
		}
		// 0.5 s, doubled to a minute: 7 in the first 63.5 s, one each minute then.
		if n := m.asked.Load(); n < 14 || n > 18 {
			t.Errorf("asked %d times in ten minutes", n)
		}
		m.failure.Store(nil)
		time.Sleep(lastRetry)
		synctest.Wait()
		m.mustSign(t, root, root)
	})
}

func TestASecretThatChangesOtherwiseIsTheSameRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		root := m.makeRoot(t)
		m.edit(t, func(s *corev1.Secret) { s.Labels = map[string]string{"team": "platform"} })
		m.mustSign(t, root, root)
		if n := strings.Count(m.logged.String(), "a root signs"); n != 1 {
			t.Errorf("said %d times that a root signs", n)
		}
	})
}

func TestItReadsItsSecretAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startMesh(t)
		for _, action := range m.client.Actions() {
			var selector string
			switch action := action.(type) {
			case clienttesting.ListAction:
				selector = action.GetListRestrictions().Fields.String()
			case clienttesting.WatchAction:
				selector = action.GetWatchRestrictions().Fields.String()
			}
			if action.GetNamespace() != "osm-system" || selector != "metadata.name=osm-ca-bundle" {
				t.Errorf("%s of %s in namespace %q with selector %q", action.GetVerb(), action.GetResource().Resource, action.GetNamespace(), selector)
			}
		}
		if len(m.client.Actions()) == 0 {
			t.Error("it reads nothing")
		}
	})
}
