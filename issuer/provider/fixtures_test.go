package provider

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/util/retry"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	namespace        = "osm-system"
	retirementPeriod = 24*time.Hour + issuer.ClockSkew
)

// mesh is a Provider that runs, between an API server and a Manager.
type mesh struct {
	*Provider
	*fakeRotation
	client  kubernetes.Interface
	roots   *fakeObjects
	manager *issuer.Manager
	logged  logs
	created int // objects
}

// newMesh returns one whose Provider does not run yet.
func newMesh(t *testing.T) *mesh {
	t.Helper()
	return newMeshOn(t, fake.NewClientset(), certManagerNowhere)
}

var certManagerNowhere = &rest.Config{Host: "127.0.0.1:1"}

// newMeshOn returns one whose Secrets and certificate requests are elsewhere.
func newMeshOn(t *testing.T, client kubernetes.Interface, config *rest.Config) *mesh {
	t.Helper()
	m := &mesh{client: client, roots: newFakeObjects(t), fakeRotation: &fakeRotation{}}
	logger := slog.New(slog.NewTextHandler(&m.logged, nil))
	m.manager = issuer.NewManager(issuer.Options{Logger: logger})
	self, err := identity.New("cluster.local", namespace, "osm-controller")
	must(t, err)
	requests, err := certmanager.NewClient(config)
	must(t, err)
	m.Provider = New(Options{
		Objects: m.roots, Client: m.client, CertManager: requests,
		Namespace: namespace, Mesh: "osm", Self: self, Replica: "osm-controller-0",
		RootSecret: "osm-ca-bundle", VaultTokenFile: "/nowhere",
		Manager: m.manager, Rotation: m.fakeRotation, RetirementPeriod: func() time.Duration { return retirementPeriod }, Logger: logger,
	})
	m.fakeRotation.changed = m.Look
	return m
}

// run runs the Provider until the test's end.
func (m *mesh) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
}

// startMesh returns one that runs in a bubble of synctest.
func startMesh(t *testing.T) *mesh {
	t.Helper()
	m := newMesh(t)
	m.run(t)
	settle()
	return m
}

// settle returns when all has been done that does not wait for a timer beyond a
// second: informers poll for whether they are filled.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// create makes an object of the mesh's trust domain, newer than those before.
func (m *mesh) create(t *testing.T, name string, role v1.Role, p v1.Provider) {
	t.Helper()
	m.createFrom(t, name, v1.MeshRootCertificateSpec{TrustDomain: "cluster.local", Role: role, Provider: p})
}

func (m *mesh) createFrom(t *testing.T, name string, spec v1.MeshRootCertificateSpec) {
	t.Helper()
	m.created++
	_, err := m.roots.Create(t.Context(), &v1.MeshRootCertificate{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, UID: types.UID(fmt.Sprint(m.created)), Generation: 1,
			CreationTimestamp: metav1.NewTime(time.Date(2026, 1, m.created, 0, 0, 0, 0, time.UTC)),
		},
		Spec: spec,
	}, metav1.CreateOptions{})
	must(t, err)
}

// tresorOf is the provider of a Secret's root.
func tresorOf(secret string) v1.Provider {
	return v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: secret}}}
}

// change changes an object's spec, whatever writes its status meanwhile.
func (m *mesh) change(t *testing.T, name string, change func(*v1.MeshRootCertificateSpec)) {
	t.Helper()
	must(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		object := m.object(t, name)
		change(&object.Spec)
		object.Generation++
		_, err := m.roots.Update(t.Context(), object, metav1.UpdateOptions{})
		return err
	}))
}

func (m *mesh) object(t *testing.T, name string) *v1.MeshRootCertificate {
	t.Helper()
	object, err := m.roots.Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	return object.DeepCopy()
}

// says returns a condition as "Status Reason", empty if there is none.
func (m *mesh) says(t *testing.T, name, condition string) string {
	t.Helper()
	c := meta.FindStatusCondition(m.object(t, name).Status.Conditions, condition)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

// wantStatus wants these of Ready and InUse.
func (m *mesh) wantStatus(t *testing.T, name, ready, inUse string) {
	t.Helper()
	if got := m.says(t, name, v1.ConditionReady); got != ready {
		t.Errorf("%s: Ready is %q, want %q", name, got, ready)
	}
	if got := m.says(t, name, v1.ConditionInUse); got != inUse {
		t.Errorf("%s: InUse is %q, want %q", name, got, inUse)
	}
}

// makeRoot has a Secret hold another root, and returns that.
func (m *mesh) makeRoot(t *testing.T, secret string) *x509.Certificate {
	t.Helper()
	store := rootsecret.Store{Secrets: m.client.CoreV1().Secrets(namespace), Name: secret}
	root, err := store.Ensure(t.Context(), func() (rootsecret.Root, error) {
		cert, key, err := tresor.NewRoot()
		return rootsecret.Root{Certificate: cert, Key: key}, err
	})
	must(t, err)
	return root.Certificate
}

func (m *mesh) deleteSecret(t *testing.T, name string) {
	t.Helper()
	must(t, m.client.CoreV1().Secrets(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}))
}

// edit changes a Secret, and returns how it was.
func (m *mesh) edit(t *testing.T, name string, change func(*corev1.Secret)) *corev1.Secret {
	t.Helper()
	secrets := m.client.CoreV1().Secrets(namespace)
	before, err := secrets.Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	after := before.DeepCopy()
	change(after)
	_, err = secrets.Update(t.Context(), after, metav1.UpdateOptions{})
	must(t, err)
	return before
}

// signedBy returns nil if the Manager's certificates are of the root.
func (m *mesh) signedBy(ctx context.Context, root *x509.Certificate) error {
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
	if err != nil {
		return err
	}
	cert, err := m.manager.RotateCertificate(ctx, id)
	if err != nil {
		return err
	}
	return cert.Leaf().CheckSignatureFrom(root)
}

// mustSign fails unless the root signs, and these are trusted.
func (m *mesh) mustSign(t *testing.T, root *x509.Certificate, trusted ...*x509.Certificate) {
	t.Helper()
	if err := m.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if err := m.signedBy(t.Context(), root); err != nil {
		t.Errorf("another root signs: %v", err)
	}
	if want := trustbundle.New(trusted...); !m.manager.Bundle().Equal(want) {
		t.Errorf("trusted is %s, want %s", m.manager.Bundle(), want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fakeObjects is an API server of MeshRootCertificates.
type fakeObjects struct {
	*gentype.FakeClientWithList[*v1.MeshRootCertificate, *v1.MeshRootCertificateList]
	server       *clienttesting.Fake
	beforeStatus atomic.Pointer[func()] // is called once, before a status is written

	mu       sync.Mutex
	versions int // that were given
}

// Create gives the object its first version.
func (f *fakeObjects) Create(ctx context.Context, object *v1.MeshRootCertificate, o metav1.CreateOptions) (*v1.MeshRootCertificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	object.ResourceVersion = f.version()
	return f.FakeClientWithList.Create(ctx, object, o)
}

// Update changes everything but the status, as it does of a resource with a
// subresource of it.
func (f *fakeObjects) Update(ctx context.Context, object *v1.MeshRootCertificate, o metav1.UpdateOptions) (*v1.MeshRootCertificate, error) {
	return f.write(ctx, object, func(present *v1.MeshRootCertificate) *v1.MeshRootCertificate {
		next := object.DeepCopy()
		next.Status = present.Status
		return next
	}, o, f.FakeClientWithList.Update)
}

// UpdateStatus changes the status alone.
func (f *fakeObjects) UpdateStatus(ctx context.Context, object *v1.MeshRootCertificate, o metav1.UpdateOptions) (*v1.MeshRootCertificate, error) {
	if interrupt := f.beforeStatus.Swap(nil); interrupt != nil {
		(*interrupt)()
	}
	return f.write(ctx, object, func(present *v1.MeshRootCertificate) *v1.MeshRootCertificate {
		next := present.DeepCopy()
		next.Status = object.Status
		return next
	}, o, f.FakeClientWithList.UpdateStatus)
}

type updateFunc func(context.Context, *v1.MeshRootCertificate, metav1.UpdateOptions) (*v1.MeshRootCertificate, error)

// write refuses what was made from an older version. The fake of client-go
// takes it, and would undo what was written meanwhile.
func (f *fakeObjects) write(ctx context.Context, object *v1.MeshRootCertificate, merge func(present *v1.MeshRootCertificate) *v1.MeshRootCertificate,
	o metav1.UpdateOptions, update updateFunc,
) (*v1.MeshRootCertificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	present, err := f.Get(ctx, object.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if object.ResourceVersion != present.ResourceVersion {
		resource := v1.GroupVersion.WithResource("meshrootcertificates").GroupResource()
		return nil, apierrors.NewConflict(resource, object.Name, errors.New("it was changed meanwhile"))
	}
	next := merge(present)
	next.ResourceVersion = f.version()
	return update(ctx, next, o)
}

func (f *fakeObjects) version() string {
	f.versions++
	return strconv.Itoa(f.versions)
}

// IsWatchListSemanticsUnSupported tells informers to list.
func (*fakeObjects) IsWatchListSemanticsUnSupported() bool { return true }

func newFakeObjects(t *testing.T) *fakeObjects {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, v1.AddToScheme(scheme))
	tracker := clienttesting.NewObjectTracker(scheme, serializer.NewCodecFactory(scheme).UniversalDecoder())
	server := &clienttesting.Fake{}
	server.AddReactor("*", "*", clienttesting.ObjectReaction(tracker))
	server.AddWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := tracker.Watch(action.GetResource(), action.GetNamespace())
		return true, w, err
	})
	return &fakeObjects{server: server, FakeClientWithList: gentype.NewFakeClientWithList(
		server, namespace, v1.GroupVersion.WithResource("meshrootcertificates"), v1.GroupVersion.WithKind("MeshRootCertificate"),
		func() *v1.MeshRootCertificate { return &v1.MeshRootCertificate{} },
		func() *v1.MeshRootCertificateList { return &v1.MeshRootCertificateList{} },
		func(to, from *v1.MeshRootCertificateList) { to.ListMeta = from.ListMeta },
		func(list *v1.MeshRootCertificateList) []*v1.MeshRootCertificate {
			return gentype.ToPointerSlice(list.Items)
		},
		func(list *v1.MeshRootCertificateList, items []*v1.MeshRootCertificate) {
			list.Items = gentype.FromPointerSlice(items)
		},
	)}
}

// writes counts the statuses that were written.
func (f *fakeObjects) writes() (n int) {
	for _, action := range f.server.Actions() {
		if action.GetVerb() == "update" && action.GetSubresource() == "status" {
			n++
		}
	}
	return n
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
