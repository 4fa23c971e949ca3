package rotation

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/trust"
)

const (
	namespace = "osm-system"
	patience  = 5 * time.Minute
	clockSkew = 5 * time.Minute
	overlap   = 10 * time.Minute // short, for the fake API server keeps all requests
)

// ca is a root that can sign.
type ca struct {
	*tresor.CA
	bundle issuer.TrustBundle
	key    crypto.Signer
	sharp  bool // certificates begin when they are issued
}

// Issue implements issuer.Issuer.
func (c ca) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	chain, err := c.CA.Issue(ctx, req, ttl)
	if err != nil || !c.sharp {
		return chain, err
	}
	template := *chain[0]
	template.NotBefore = time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &template, c.Root(), req.PublicKey(), c.key)
	if err != nil {
		return nil, err
	}
	chain[0], err = x509.ParseCertificate(der)
	return chain, err
}

func newSharpCA(t *testing.T) ca {
	t.Helper()
	c := newCA(t)
	c.sharp = true
	return c
}

func newCA(t *testing.T) ca {
	t.Helper()
	root, key, err := tresor.NewRoot()
	must(t, err)
	c, err := tresor.New(root, key)
	must(t, err)
	return ca{CA: c, bundle: issuer.NewTrustBundle(root), key: key}
}

func (c ca) wanted(name string) trust.Wanted {
	return trust.Wanted{Signer: c.bundle, Trusted: map[string]issuer.TrustBundle{name: c.bundle}}
}

// mesh is what replicas share.
type mesh struct {
	client kubernetes.Interface

	mu        sync.Mutex
	pods      []*corev1.Pod
	announced []string
}

func newMesh() *mesh { return &mesh{client: fake.NewClientset()} }

func (m *mesh) list() ([]*corev1.Pod, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pods), nil
}

// addPod adds a pod that runs, and returns its UID.
func (m *mesh) addPod(name string) types.UID {
	m.mu.Lock()
	defer m.mu.Unlock()
	uid := types.UID(fmt.Sprintf("uid-of-%s-%d", name, len(m.pods)))
	m.pods = append(m.pods, pod(name, uid))
	return uid
}

func pod(name string, uid types.UID) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: uid},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

func (m *mesh) announce(_ context.Context, a Announcement) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.announced = append(m.announced, a.Reason)
}

// replica is a Rotation whose Manager signs with what it may, as a provider has
// it do.
type replica struct {
	*Rotation
	manager *issuer.Manager
	holds   []ca // newest last
	deaf    bool // takes in nothing any more
	shed    int
	kill    func()
	mu      sync.Mutex
}

// start runs a replica that holds these roots, and wants the last of them.
func (m *mesh) start(t *testing.T, name string, holds ...ca) *replica {
	t.Helper()
	self, err := issuer.NewIdentity("cluster.local", namespace, "osm-controller")
	must(t, err)
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	r := &replica{manager: issuer.NewManager(issuer.Options{Logger: logger}), holds: holds}
	r.Rotation, err = New(Options{
		Client: m.client, Namespace: namespace, Replica: name, Labels: map[string]string{"app": "osm"},
		Pods: m.list, Manager: r.manager, Self: self, Patience: patience, ClockSkew: clockSkew,
		Overlap: func() time.Duration { return overlap }, Changed: r.follow, Announce: m.announce, Logger: logger,
		Shed: func() { r.shed++ },
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.kill = sync.OnceFunc(func() {
		cancel()
		must(t, <-ended)
	})
	t.Cleanup(r.kill)
	r.want(holds...)
	return r
}

// want has the replica hold these roots, and want the last of them.
func (r *replica) want(holds ...ca) {
	r.mu.Lock()
	r.holds = holds
	r.mu.Unlock()
	if len(holds) > 0 {
		r.Want(holds[len(holds)-1].wanted("root"))
	}
	r.follow()
}

// follow signs with the newest root that may.
func (r *replica) follow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, known := r.State()
	if !known || r.deaf {
		return
	}
	roots := []issuer.Root{{Name: "trusted", Role: issuer.Passive, Issuer: issuer.TrustedOnly(state.Bundle())}}
	signs := issuer.TrustBundle{}
	for _, c := range slices.Backward(r.holds) {
		if state.MaySign(c.bundle, time.Now()) {
			roots = append(roots, issuer.Root{Name: "root", Role: issuer.Active, Issuer: c})
			signs = c.bundle
			break
		}
	}
	if err := r.manager.SetRoots(context.Background(), roots...); err != nil {
		panic(err)
	}
	r.Signs(signs)
}

func (r *replica) setDeaf(deaf bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf = deaf
}

// acknowledge says that a pod has what the replica trusts.
func (r *replica) acknowledge(pods ...types.UID) {
	for _, pod := range pods {
		r.Acknowledged(pod, r.manager.Bundle())
	}
}

func (m *mesh) record(t *testing.T) trust.State {
	t.Helper()
	state, err := (&trust.Record{ConfigMaps: m.client.CoreV1().ConfigMaps(namespace)}).Read(t.Context())
	must(t, err)
	return state
}

// fill records as many roots as a mesh trusts at once, of which one signs.
func (m *mesh) fill(t *testing.T, signs ca) {
	t.Helper()
	record := &trust.Record{ConfigMaps: m.client.CoreV1().ConfigMaps(namespace)}
	for i := range trust.MaxRoots {
		next := signs
		if i < trust.MaxRoots-1 {
			next = newCA(t)
		}
		for range 2 { // distribute, sign
			_, err := record.Advance(t.Context(), func(s trust.State) trust.State {
				return s.Next(next.wanted("root"), trust.Situation{Now: time.Now(), Acknowledged: true, Reissued: true, Overlap: overlap})
			})
			must(t, err)
		}
	}
}

// mustBe wants the step that is recorded, and who signs.
func (m *mesh) mustBe(t *testing.T, step trust.Step, signs ca) {
	t.Helper()
	state := m.record(t)
	if got, _ := state.Step(); got != step {
		t.Errorf("the step is %q, want %q", got, step)
	}
	if !state.Signing().Equal(signs.bundle) {
		t.Error("another root signs")
	}
}

// settle lets some seconds pass.
func settle() {
	time.Sleep(3 * time.Second)
	synctest.Wait()
}

func serving(t *testing.T, m *mesh) *x509.Certificate {
	t.Helper()
	secret, err := m.client.CoreV1().Secrets(namespace).Get(t.Context(), ServingSecret, metav1.GetOptions{})
	must(t, err)
	certs, err := issuer.ParseCertificates(secret.Data[corev1.TLSCertKey])
	must(t, err)
	return certs[0]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
