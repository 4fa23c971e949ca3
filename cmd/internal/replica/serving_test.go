package replica

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/rotation"
)

func TestWhenTheServingCertificateIsReplaced(t *testing.T) {
	first, second := newCA(t), newCA(t)
	start := time.Now()
	at := func(d time.Duration) rotation.Situation {
		return rotation.Situation{Now: start.Add(d), Acknowledged: true, AckTimeout: time.Minute, RetirementPeriod: 24 * time.Hour}
	}
	settled := rotation.State{}.Next(first.wanted("root"), at(-time.Hour))
	distributing := settled.Next(second.wanted("root"), at(0))
	signing := distributing.Next(second.wanted("root"), at(0))
	revoked := second.wanted("other")
	revoked.Revoked = []string{"root"}

	self, err := identity.New("cluster.local", namespace, "osm-controller")
	must(t, err)
	other, err := identity.New("cluster.local", namespace, "other")
	must(t, err)
	of := func(id identity.Identity, c ca) *corev1.Secret {
		request, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, id)
		must(t, err)
		chain, err := c.Issue(t.Context(), request, 24*time.Hour)
		must(t, err)
		cert, err := request.Certificate(chain)
		must(t, err)
		return &corev1.Secret{Data: map[string][]byte{corev1.TLSCertKey: cert.ChainPEM(), corev1.TLSPrivateKeyKey: cert.KeyPEM()}}
	}
	tests := map[string]struct {
		secret *corev1.Secret
		state  rotation.State
		at     time.Duration
		due    bool
	}{
		"not while it is young":                    {of(self, first), settled, time.Hour, false},
		"at half its life":                         {of(self, first), settled, 12*time.Hour + time.Minute, true},
		"not while a root is distributed":          {of(self, first), distributing, time.Minute, false},
		"not before mounted bundles have followed": {of(self, first), signing, mountDelay - time.Second, false},
		"but then":                       {of(self, first), signing, mountDelay + time.Second, true},
		"at once if its root is revoked": {of(self, first), settled.Next(revoked, at(0)), 0, true},
		"at once if it is that of another service account": {of(other, first), settled, 0, true},
		"at once if it is garbage":                         {&corev1.Secret{}, settled, 0, true},
		"at once if it has ended":                          {of(self, first), settled, 25 * time.Hour, true},
		"one of the root that signs is left":               {of(self, second), signing, time.Hour, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			left, _, err := due(test.secret, test.state, self, start.Add(test.at))
			if (left <= 0) != test.due || (err != nil) != test.due {
				t.Errorf("left is %s, error %v", left, err)
			}
		})
	}
}

func TestASecretThatCannotHoldTheServingCertificateIsNamed(t *testing.T) {
	root, sealed := newCA(t), true
	self, err := identity.New("cluster.local", namespace, "osm-controller")
	must(t, err)
	manager := issuer.NewManager(issuer.Options{})
	issuertest.Trust(t, manager, "root", root)
	for want, secret := range map[string]*corev1.Secret{
		"is of type Opaque": {Type: corev1.SecretTypeOpaque},
		"is immutable":      {Type: corev1.SecretTypeTLS, Immutable: &sealed},
	} {
		secret.Namespace, secret.Name = namespace, ServingSecret
		state := rotation.State{}.Next(root.wanted("root"), rotation.Situation{Now: time.Now(), Acknowledged: true})
		s := NewServing(Serving{
			Secrets: fake.NewClientset(secret).CoreV1(), Namespace: namespace, Self: self, Manager: manager,
			State: func() (rotation.State, bool) { return state, true }, Logger: slog.New(slog.DiscardHandler),
		})
		if _, err := s.serve(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestTheServingCertificateFollowsWhenMountedBundlesHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second := newMesh(t), newCA(t), newCA(t)
		m.sign(t, first)
		m.start(t)
		synctest.Wait()
		before := m.served(t)
		must(t, before.CheckSignatureFrom(first.Root()))
		m.sign(t, second)
		time.Sleep(mountDelay - time.Minute)
		synctest.Wait()
		if !m.served(t).Equal(before) {
			t.Error("it was replaced before proxies could know the new root")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		must(t, m.served(t).CheckSignatureFrom(second.Root()))
	})
}

func TestTheServingCertificateIsHeldBackUntilClocksThatAreBehindAcceptIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, first, second, third := newMesh(t), newSharpCA(t), newSharpCA(t), newSharpCA(t)
		m.sign(t, first)
		end := m.start(t)
		synctest.Wait()
		before := m.served(t) // there is none to be held back for
		m.sign(t, second)
		time.Sleep(mountDelay + time.Minute)
		synctest.Wait()
		if !m.served(t).Equal(before) {
			t.Error("it was replaced by one that clocks which are behind refuse")
		}
		end()
		m.start(t) // another replica, which makes another
		time.Sleep(clockSkew - time.Minute)
		synctest.Wait()
		if !m.served(t).Equal(before) {
			t.Error("another replica replaced it")
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		must(t, m.served(t).CheckSignatureFrom(second.Root()))

		m.sign(t, third)
		synctest.Wait()
		must(t, m.served(t).CheckSignatureFrom(second.Root()))
		m.revoke(t, third)
		synctest.Wait()
		must(t, m.served(t).CheckSignatureFrom(third.Root()))
	})
}

func TestTheServingCertificateIsIssuedAsSoonAsAReplicaSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, root := newMesh(t), newCA(t)
		m.record(root.wanted("root"))
		m.start(t)
		synctest.Wait()
		m.sign(t, root)
		synctest.Wait()
		m.served(t)
	})
}
