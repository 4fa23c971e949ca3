package rotation

import (
	"context"
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
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	namespace        = "osm-system"
	ackTimeout       = 5 * time.Minute
	retirementPeriod = 10 * time.Minute // short, for the fake API server keeps all requests
)

// ca is a root that can sign.
type ca struct {
	*tresor.CA
	bundle trustbundle.TrustBundle
}

func newCA(t *testing.T) ca {
	t.Helper()
	c := testkit.CA(t)
	return ca{CA: c, bundle: trustbundle.New(c.Root())}
}

func (c ca) wanted(name string) Wanted {
	return Wanted{Signer: c.bundle, Trusted: map[string]trustbundle.TrustBundle{name: c.bundle}}
}

func (c ca) signer() issuer.Signer { return issuer.Signer{Name: "root", Issuer: c, Roots: c.bundle} }

// fakeMesh is what replicas share.
type fakeMesh struct {
	client kubernetes.Interface
	lease  chan struct{} // whose sender leads

	mu        sync.Mutex
	pods      []*corev1.Pod
	announced []string
}

func newMesh() *fakeMesh {
	return &fakeMesh{client: fake.NewClientset(), lease: make(chan struct{}, 1)}
}

func (m *fakeMesh) list() ([]*corev1.Pod, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pods), nil
}

// addPod adds a pod that runs, and returns its UID.
func (m *fakeMesh) addPod(name string) types.UID {
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

func (m *fakeMesh) announce(_ context.Context, a Announcement) {
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
	kill    func()
	mu      sync.Mutex
}

// start runs a replica that holds these roots, and wants the last of them.
func (m *fakeMesh) start(t *testing.T, name string, holds ...ca) *replica {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	r := &replica{manager: issuer.NewManager(issuer.Options{Logger: logger}), holds: holds}
	r.Rotation = New(Options{
		Client: m.client, Namespace: namespace, Replica: name, Labels: map[string]string{"app": "osm"},
		Pods: m.list, Manager: r.manager, AckTimeout: ackTimeout,
		RetirementPeriod: func() time.Duration { return retirementPeriod }, Changed: r.follow, Announce: m.announce, Logger: logger,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended, led := make(chan error, 1), make(chan struct{})
	go func() { ended <- r.Run(ctx) }()
	go func() {
		defer close(led)
		select {
		case m.lease <- struct{}{}:
			r.Lead(ctx)
			<-m.lease
		case <-ctx.Done():
		}
	}()
	r.kill = sync.OnceFunc(func() {
		cancel()
		<-led
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
	var signer issuer.Signer
	for _, c := range slices.Backward(r.holds) {
		if state.MaySign(c.bundle, time.Now()) {
			signer = c.signer()
			break
		}
	}
	if err := r.manager.SetTrust(state.Bundle(), signer); err != nil {
		panic(err)
	}
	r.Signs(signer.Roots)
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

func (m *fakeMesh) record(t *testing.T) State {
	t.Helper()
	state, err := (&Record{ConfigMaps: m.client.CoreV1().ConfigMaps(namespace)}).Read(t.Context())
	must(t, err)
	return state
}

// fill records as many roots as a mesh trusts at once, of which one signs.
func (m *fakeMesh) fill(t *testing.T, signs ca) {
	t.Helper()
	record := &Record{ConfigMaps: m.client.CoreV1().ConfigMaps(namespace)}
	for i := range MaxRoots {
		next := signs
		if i < MaxRoots-1 {
			next = newCA(t)
		}
		for range 2 { // distribute, sign
			_, err := record.Advance(t.Context(), func(s State) State {
				return s.Next(next.wanted("root"), Situation{Now: time.Now(), Acknowledged: true, Reissued: true, RetirementPeriod: retirementPeriod})
			})
			must(t, err)
		}
	}
}

// mustBe wants the step that is recorded, and who signs.
func (m *fakeMesh) mustBe(t *testing.T, step Step, signs ca) {
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
