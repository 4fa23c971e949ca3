// Package survey reads from a cluster what a mesh consists of, for
// tools outside of it. It changes nothing, and finds no faults.
package survey

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/cmd/internal/check"
)

// atOnce bounds the requests that are under way at one time.
const atOnce = 16

// Survey reads what a mesh consists of. The clients are for callers that
// read more of it.
type Survey struct {
	Kube      kubernetes.Interface
	Dynamic   dynamic.Interface
	Namespace string // that the mesh is installed in

	definitions apiextensionsclient.Interface
	metadata    metadata.Interface
	clock       *clock
}

// New returns a Survey of the mesh that is installed in the namespace.
func New(config *rest.Config, namespace string) (*Survey, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // a survey is short, and the API server defends itself
	s := &Survey{Namespace: namespace, clock: &clock{}}
	config.Wrap(s.clock.wrap)
	var err error
	if s.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	if s.definitions, err = apiextensionsclient.NewForConfig(config); err != nil {
		return nil, err
	}
	if s.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, err
	}
	binary := rest.CopyConfig(config)
	binary.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := rest.HTTPClientFor(binary)
	if err != nil {
		return nil, err
	}
	staying := *client
	staying.CheckRedirect = stay
	s.Kube, err = kubernetes.NewForConfigAndClient(binary, &staying)
	return s, err
}

// stay follows no redirection: that of a pod, which the API server hands on,
// would have the credentials of who asks sent to wherever it points.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Snapshot reads everything that checks look at.
func (s *Survey) Snapshot(ctx context.Context) (*check.Snapshot, error) {
	snapshot := &check.Snapshot{Namespace: s.Namespace}
	if err := s.mesh(ctx, snapshot); err != nil {
		return nil, err
	}
	snapshot.Now, snapshot.ServerTime = s.clock.read()
	if err := s.Objects(ctx, snapshot); err != nil {
		return nil, err
	}
	group, reading := errgroup.WithContext(ctx)
	for _, read := range []func(context.Context, *check.Snapshot) error{s.replicas, s.rights, s.namespaces, s.leftovers, s.registries} {
		group.Go(func() error { return read(reading, snapshot) })
	}
	err := group.Wait()
	if err == nil {
		s.calls(ctx, snapshot)
	}
	return snapshot, err
}

// Open reads the mesh's own objects alone.
func (s *Survey) Open(ctx context.Context) (*check.Snapshot, error) {
	snapshot := &check.Snapshot{Namespace: s.Namespace}
	if err := s.mesh(ctx, snapshot); err != nil {
		return nil, err
	}
	snapshot.Now, snapshot.ServerTime = s.clock.read()
	return snapshot, s.Objects(ctx, snapshot)
}

// mesh reads the Deployments, and with them the names of the meshes.
func (s *Survey) mesh(ctx context.Context, snapshot *check.Snapshot) error {
	options := metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=openservicemesh.io"}
	list, err := s.Kube.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, options)
	if err != nil {
		return fmt.Errorf("list deployments: %w", err)
	}
	snapshot.Deployments = map[string]*appsv1.Deployment{}
	for i := range list.Items {
		d := &list.Items[i]
		if !slices.Contains(check.Components[:], d.Name) {
			continue
		}
		name := d.Labels["app.kubernetes.io/instance"]
		snapshot.Meshes = append(snapshot.Meshes, name)
		if d.Namespace == s.Namespace {
			snapshot.Mesh, snapshot.Deployments[d.Name] = name, d
		} else if other := (check.Other{Mesh: name, Namespace: d.Namespace}); !slices.Contains(snapshot.Others, other) {
			snapshot.Others = append(snapshot.Others, other)
		}
	}
	slices.Sort(snapshot.Meshes)
	snapshot.Meshes = slices.Compact(snapshot.Meshes)
	if snapshot.Mesh == "" {
		return fmt.Errorf("there is no mesh in namespace %s%s; name its namespace with --osm-namespace, or install one: osm install", s.Namespace, elsewhere(list.Items))
	}
	return nil
}

// elsewhere says which namespaces have a mesh.
func elsewhere(deployments []appsv1.Deployment) string {
	var all []string
	for _, d := range deployments {
		if d.Name == "osm-controller" {
			all = append(all, d.Namespace)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ", but in " + strings.Join(all, ", ")
}

// get reads an object. One that is not there stays nil.
func get[T any](ctx context.Context, into *T, read func(context.Context, string, metav1.GetOptions) (T, error), name string) error {
	object, err := read(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	*into = object
	return nil
}
