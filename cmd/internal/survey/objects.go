package survey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// Objects reads the mesh's own objects.
func (s *Survey) Objects(ctx context.Context, snapshot *check.Snapshot) error {
	webhooks, maps := s.Kube.AdmissionregistrationV1(), s.Kube.CoreV1().ConfigMaps(s.Namespace)
	mutating := argument(snapshot.Deployments["osm-bootstrap"], "mutating-webhook", "osm-webhook-"+snapshot.Mesh)
	snapshot.RootSecret = argument(snapshot.Deployments["osm-bootstrap"], "ca-bundle-secret-name", "osm-ca-bundle")
	validating := argument(snapshot.Deployments["osm-bootstrap"], "validating-webhook", "osm-validator-mesh-"+snapshot.Mesh)
	group, ctx := errgroup.WithContext(ctx)
	for _, read := range []func() error{
		func() error {
			return get(ctx, &snapshot.Mutating, webhooks.MutatingWebhookConfigurations().Get, mutating)
		},
		func() error {
			return get(ctx, &snapshot.Validating, webhooks.ValidatingWebhookConfigurations().Get, validating)
		},
		func() error { return get(ctx, &snapshot.Record, maps.Get, rotation.ConfigMapName) },
		func() error {
			return get(ctx, &snapshot.Lease, s.Kube.CoordinationV1().Leases(s.Namespace).Get, "osm-controller")
		},
		func() error { return s.crds(ctx, snapshot) },
		func() error { return s.configuration(ctx, snapshot) },
		func() error { return s.roots(ctx, snapshot) },
	} {
		group.Go(read)
	}
	return group.Wait()
}

// Progress reads what tells how far the replacement of a root is.
func (s *Survey) Progress(ctx context.Context, snapshot *check.Snapshot) error {
	maps := s.Kube.CoreV1().ConfigMaps(s.Namespace)
	if err := get(ctx, &snapshot.Record, maps.Get, rotation.ConfigMapName); err != nil {
		return err
	}
	return s.authorities(ctx, snapshot)
}

// argument returns what a component was told by a flag.
func argument(d *appsv1.Deployment, flag, otherwise string) string {
	if d == nil {
		return otherwise
	}
	for _, container := range d.Spec.Template.Spec.Containers {
		for _, arg := range container.Args {
			if value, ok := strings.CutPrefix(arg, "--"+flag+"="); ok {
				return value
			}
		}
	}
	return otherwise
}

func (s *Survey) crds(ctx context.Context, snapshot *check.Snapshot) error {
	wanted, err := manifests.CRDs(s.Namespace)
	if err != nil {
		return err
	}
	snapshot.Definitions = map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, w := range wanted {
		var crd *apiextensionsv1.CustomResourceDefinition
		if err := get(ctx, &crd, s.definitions.ApiextensionsV1().CustomResourceDefinitions().Get, w.Name); err != nil {
			return err
		}
		if crd != nil {
			snapshot.Definitions[w.Name] = crd
		}
	}
	return nil
}

func (s *Survey) configuration(ctx context.Context, snapshot *check.Snapshot) error {
	resource := v1.GroupVersion.WithResource("meshconfigs")
	object, err := s.Dynamic.Resource(resource).Namespace(s.Namespace).Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the MeshConfig: %w", err)
	}
	snapshot.MeshConfig = &v1.MeshConfig{}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, snapshot.MeshConfig)
}

// roots reads the MeshRootCertificates, and then the Secrets.
func (s *Survey) roots(ctx context.Context, snapshot *check.Snapshot) error {
	if err := s.authorities(ctx, snapshot); err != nil {
		return err
	}
	secrets := map[string]bool{}
	for _, service := range check.Servers {
		secrets[service+"-tls"] = true
	}
	for i := range snapshot.Roots {
		if name, ok := check.RootSecret(&snapshot.Roots[i]); ok {
			secrets[name] = true
		}
	}
	return s.secrets(ctx, snapshot, slices.Sorted(maps.Keys(secrets)))
}

func (s *Survey) authorities(ctx context.Context, snapshot *check.Snapshot) error {
	resource := v1.GroupVersion.WithResource("meshrootcertificates")
	list, err := s.Dynamic.Resource(resource).Namespace(s.Namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list MeshRootCertificates: %w", err)
	}
	for _, object := range list.Items {
		var root v1.MeshRootCertificate
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &root); err != nil {
			return fmt.Errorf("read MeshRootCertificate %s: %w", object.GetName(), err)
		}
		snapshot.Roots = append(snapshot.Roots, root)
	}
	return nil
}

func (s *Survey) secrets(ctx context.Context, snapshot *check.Snapshot, names []string) error {
	snapshot.Secrets, snapshot.Foreign = map[string]*corev1.Secret{}, map[string]bool{}
	for _, name := range names {
		var secret *corev1.Secret
		if err := get(ctx, &secret, s.Kube.CoreV1().Secrets(s.Namespace).Get, name); err != nil {
			return err
		}
		if secret != nil {
			snapshot.Secrets[name] = secret
			roots, err := trustbundle.ParseCertificates(secret.Data[rootsecret.CertificateKey])
			snapshot.Foreign[name] = err == nil && !tresor.IsOwn(roots[0])
		}
	}
	return nil
}
