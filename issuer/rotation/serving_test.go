package rotation

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
)

func TestWhenTheServingCertificateIsReplaced(t *testing.T) {
	first, second := newCA(t), newCA(t)
	start := time.Now()
	at := func(d time.Duration) Situation {
		return Situation{Now: start.Add(d), Acknowledged: true, Patience: patience, Overlap: 24 * time.Hour}
	}
	settled := State{}.Next(first.wanted("root"), at(-time.Hour))
	distributing := settled.Next(second.wanted("root"), at(0))
	signing := distributing.Next(second.wanted("root"), at(0))
	revoked := second.wanted("other")
	revoked.Revoked = []string{"root"}

	self, err := issuer.NewIdentity("cluster.local", namespace, "osm-controller")
	must(t, err)
	other, err := issuer.NewIdentity("cluster.local", namespace, "other")
	must(t, err)
	of := func(id issuer.Identity, c ca) *corev1.Secret {
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
		state  State
		at     time.Duration
		due    bool
	}{
		"not while it is young":                    {of(self, first), settled, time.Hour, false},
		"at half its life":                         {of(self, first), settled, 12*time.Hour + time.Minute, true},
		"not while a root is distributed":          {of(self, first), distributing, time.Minute, false},
		"not before mounted bundles have followed": {of(self, first), signing, mountDelay - time.Second, false},
		"but then":                           {of(self, first), signing, mountDelay + time.Second, true},
		"at once if its root is revoked":     {of(self, first), settled.Next(revoked, at(0)), 0, true},
		"at once if it is somebody else's":   {of(other, first), settled, 0, true},
		"at once if it is garbage":           {&corev1.Secret{}, settled, 0, true},
		"at once if it has ended":            {of(self, first), settled, 25 * time.Hour, true},
		"one of the root that signs is left": {of(self, second), signing, time.Hour, false},
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
	self, err := issuer.NewIdentity("cluster.local", namespace, "osm-controller")
	must(t, err)
	manager := issuer.NewManager(issuer.Options{})
	must(t, manager.SetRoots(t.Context(), issuer.Root{Name: "root", Issuer: root}))
	for want, secret := range map[string]*corev1.Secret{
		"is of type Opaque": {Type: corev1.SecretTypeOpaque},
		"is immutable":      {Type: corev1.SecretTypeTLS, Immutable: &sealed},
	} {
		secret.Namespace, secret.Name = namespace, ServingSecret
		r := &Rotation{Options: Options{Client: fake.NewClientset(secret), Namespace: namespace, Self: self, Manager: manager, Logger: slog.New(slog.DiscardHandler)}}
		state := State{}.Next(root.wanted("root"), Situation{Now: time.Now(), Acknowledged: true})
		r.state.Store(&seen{State: state})
		if _, err := r.serve(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
