package main

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// inForce is what a mesh follows, and what an uninstall leaves: it takes
// precedence over the values that made it.
type inForce struct {
	config *unstructured.Unstructured // nil without a MeshConfig
	active []v1.MeshRootCertificate   // the one that is to sign first
}

// inForce reads the mesh's own objects. Those that cannot be converted while
// osm-bootstrap is away are as good as none: the upgrade brings it back.
func (c *cluster) inForce(ctx context.Context) (inForce, error) {
	config, err := c.config()
	if err != nil {
		return inForce{}, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return inForce{}, err
	}
	var found inForce
	of := func(resource string) dynamic.ResourceInterface {
		return client.Resource(v1.GroupVersion.WithResource(resource)).Namespace(c.meshNamespace)
	}
	found.config, err = of("meshconfigs").Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || unconverted(err) {
		found.config, err = nil, nil
	}
	if err != nil {
		return inForce{}, fmt.Errorf("read the MeshConfig: %w", err)
	}
	roots, err := of("meshrootcertificates").List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) || unconverted(err) {
		return found, nil
	}
	if err != nil {
		return inForce{}, fmt.Errorf("list MeshRootCertificates: %w", err)
	}
	found.active, err = activeOf(roots.Items)
	return found, err
}

// activeOf returns the roots that are Active, the newest first, which signs.
func activeOf(objects []unstructured.Unstructured) (active []v1.MeshRootCertificate, err error) {
	for _, object := range objects {
		var root v1.MeshRootCertificate
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &root); err != nil {
			return nil, fmt.Errorf("read MeshRootCertificate %s: %w", object.GetName(), err)
		}
		if root.Spec.Role == v1.Active && root.DeletionTimestamp == nil {
			active = append(active, root)
		}
	}
	slices.SortFunc(active, func(a, b v1.MeshRootCertificate) int { return v1.ByAge(&a, &b) })
	return active, nil
}

// signer returns the root that is to sign, nil if osm-bootstrap is to make one.
func (f inForce) signer() *v1.MeshRootCertificate {
	if len(f.active) == 0 {
		return nil
	}
	return &f.active[0]
}

// kindOf returns what osm.certificateProvider.kind calls a provider.
func kindOf(p v1.Provider) string {
	switch {
	case p.Vault != nil:
		return "vault"
	case p.CertManager != nil:
		return "cert-manager"
	}
	return "tresor"
}
