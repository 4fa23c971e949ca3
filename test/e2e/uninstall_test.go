//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/test/mesh"
)

// uninstallAll takes its namespace away, too.
func (tr *trial) uninstallAll(ctx context.Context) error {
	if err := tr.dropOthers(ctx); err != nil {
		return err
	}
	if err := tr.uninstall(ctx); err != nil {
		return err
	}
	_, err := tr.client.CoreV1().Namespaces().Get(ctx, mesh.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return errors.Join(fmt.Errorf("namespace %s is left", mesh.Namespace), err)
}

// uninstall takes away the mesh and all that was ever of it. Pods of its
// namespaces can be created then.
func (tr *trial) uninstall(ctx context.Context) error {
	if _, err := tr.osm(ctx, "uninstall", "mesh", "--delete-ca", "--yes"); err != nil {
		return err
	}
	// What belonged to what was deleted is collected a moment later.
	var left error
	err := wait.PollUntilContextTimeout(ctx, 2*time.Second, time.Minute, true, func(context.Context) (bool, error) {
		left = tr.checkNothingIsLeft(ctx)
		return left == nil, nil
	})
	if err != nil {
		return errors.Join(err, left)
	}
	if err := tr.create(ctx, "bookbuyer", "without"); err != nil {
		return err
	}
	return tr.end(ctx, "bookbuyer", "without")
}

// checkNothingIsLeft looks at all objects there are for those of the mesh.
func (tr *trial) checkNothingIsLeft(ctx context.Context) error {
	config := tr.node.Config()
	config.QPS, config.Burst = 200, 400 // there are many kinds
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	lists, err := tr.client.Discovery().ServerPreferredResources()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	var mu sync.Mutex
	var left []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err
		}
		for _, resource := range list.APIResources {
			if resource.Kind == "Event" {
				continue // they end by themselves
			}
			group.Go(func() error {
				objects, err := client.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
				if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
					return nil
				}
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for _, o := range objects.Items {
					if ofTheMesh(o.ObjectMeta) {
						left = append(left, fmt.Sprintf("%s %s/%s", resource.Name, o.Namespace, o.Name))
					}
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(left) > 0 {
		slices.Sort(left)
		return errors.New("left of the mesh:\n" + strings.Join(left, "\n"))
	}
	return nil
}

// ofTheMesh tells by label and by name.
func ofTheMesh(o metav1.ObjectMeta) bool {
	return o.Labels["app.kubernetes.io/name"] == "openservicemesh.io" || strings.Contains(o.Name, "openservicemesh.io")
}
