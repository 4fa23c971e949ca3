package certmanager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/test/certmanager/binary"
	"github.com/osm-edge/osm/test/gobuild"
)

// Install creates cert-manager's custom resource definitions, if they are not there, and returns when they are served.
func Install(ctx context.Context, config *rest.Config) error {
	crds, err := definitions(ctx)
	if err != nil {
		return fmt.Errorf("reading cert-manager's custom resource definitions: %w", err)
	}
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	api := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, crd := range crds {
		if _, err := api.Create(ctx, crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating custom resource definition %s: %w", crd.Name, err)
		}
	}
	for _, crd := range crds {
		if err := awaitServed(ctx, api, crd.Name); err != nil {
			return fmt.Errorf("waiting for custom resource definition %s: %w", crd.Name, err)
		}
	}
	return nil
}

// Uninstall deletes cert-manager's custom resource definitions, with all objects of theirs, and returns when they are gone.
func Uninstall(ctx context.Context, config *rest.Config) error {
	crds, err := definitions(ctx)
	if err != nil {
		return fmt.Errorf("reading cert-manager's custom resource definitions: %w", err)
	}
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	api := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, crd := range crds {
		if err := api.Delete(ctx, crd.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting custom resource definition %s: %w", crd.Name, err)
		}
	}
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		left, err := api.List(ctx, metav1.ListOptions{})
		return err == nil && !slices.ContainsFunc(left.Items, func(crd apiextensionsv1.CustomResourceDefinition) bool {
			return strings.HasSuffix(crd.Spec.Group, "cert-manager.io")
		}), err
	})
}

// definitions reads what cert-manager's own module holds, in the version that the controllers are built from.
func definitions(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	source, err := gobuild.Source(ctx, binary.Module, "github.com/cert-manager/cert-manager")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(source, "deploy", "crds", "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is none in %s", source)
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(files))
	for i, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := yaml.UnmarshalStrict(content, &crds[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return crds, nil
}

func awaitServed(ctx context.Context, api apiextensions.CustomResourceDefinitionInterface, name string) error {
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		crd, err := api.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established {
				return condition.Status == apiextensionsv1.ConditionTrue, nil
			}
		}
		return false, nil
	})
}
