package survey

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/rotation"
)

// page is how many objects a list has at a time.
const page = 500

// namespaces reads the namespaces, their copies of the roots, and the pods of
// those that belong to the mesh.
func (s *Survey) namespaces(ctx context.Context, snapshot *check.Snapshot) error {
	list, err := s.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	snapshot.Namespaces = list.Items
	options := metav1.ListOptions{FieldSelector: "metadata.name=" + rotation.ConfigMapName}
	copies, err := s.Kube.CoreV1().ConfigMaps(metav1.NamespaceAll).List(ctx, options)
	if err != nil {
		return fmt.Errorf("list configmaps: %w", err)
	}
	snapshot.Copies = map[string]*corev1.ConfigMap{}
	for i := range copies.Items {
		snapshot.Copies[copies.Items[i].Namespace] = &copies.Items[i]
	}
	return s.pods(ctx, snapshot)
}

func (s *Survey) pods(ctx context.Context, snapshot *check.Snapshot) error {
	var mu sync.Mutex
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range snapshot.Namespaces {
		ns := &snapshot.Namespaces[i]
		if !snapshot.Monitored(ns) {
			continue
		}
		group.Go(func() error {
			exposed, err := s.exposed(reading, ns.Name)
			if err != nil {
				return err
			}
			stuck, err := s.creation(reading, ns.Name, snapshot.Now)
			if err != nil && !apierrors.IsForbidden(err) {
				return err
			}
			mu.Lock()
			snapshot.Stuck = append(snapshot.Stuck, stuck...)
			if err != nil {
				snapshot.StuckUnknown = err.Error()
			}
			mu.Unlock()
			return s.EachPod(reading, ns.Name, "", func(pod *corev1.Pod) {
				one := describe(pod, ns, snapshot.Now)
				exposed.describe(pod, &one)
				mu.Lock()
				defer mu.Unlock()
				snapshot.Pods = append(snapshot.Pods, one)
			})
		})
	}
	err := group.Wait()
	slices.SortFunc(snapshot.Pods, func(a, b check.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	slices.SortFunc(snapshot.Stuck, func(a, b check.Stuck) int {
		return strings.Compare(a.Namespace+"/"+a.Kind+"/"+a.Name, b.Namespace+"/"+b.Kind+"/"+b.Name)
	})
	// During a rollout, several ReplicaSets of a Deployment may be refused pods.
	snapshot.Stuck = slices.CompactFunc(snapshot.Stuck, func(a, b check.Stuck) bool {
		return a.Namespace == b.Namespace && a.Kind == b.Kind && a.Name == b.Name
	})
	if err == nil {
		s.sidecars(ctx, snapshot.Pods)
	}
	return err
}

// EachPod reads the pods of a namespace that a label selects, and never has all
// of them in memory.
func (s *Survey) EachPod(ctx context.Context, namespace, selector string, visit func(*corev1.Pod)) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: page}
	for {
		list, err := s.Kube.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		for i := range list.Items {
			visit(&list.Items[i])
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}

// leftovers finds the Secrets that osm-edge kept the keys of sidecars in, by
// their metadata alone.
func (s *Survey) leftovers(ctx context.Context, snapshot *check.Snapshot) error {
	snapshot.Leftovers = map[string][]string{}
	secrets := s.metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets"))
	options := metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=openservicemesh.io", Limit: page}
	for {
		list, err := secrets.List(ctx, options)
		if err != nil {
			return fmt.Errorf("list secrets: %w", err)
		}
		for _, secret := range list.Items {
			if strings.HasPrefix(secret.Name, "sidecar-bootstrap-config-") || strings.HasPrefix(secret.Name, "envoy-bootstrap-config-") {
				snapshot.Leftovers[secret.Namespace] = append(snapshot.Leftovers[secret.Namespace], secret.Name)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}
