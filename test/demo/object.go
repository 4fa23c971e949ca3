package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/mesh"
)

// rootObject is the MeshRootCertificate that the chart's values make.
const rootObject = "osm-mesh-root-certificate"

// showObject prints what the mesh says of its root, once that is that it is used.
func (n *narrator) showObject(ctx context.Context) error {
	resource := n.objects.Resource(v1.GroupVersion.WithResource("meshrootcertificates")).Namespace(mesh.Namespace)
	var object v1.MeshRootCertificate
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		found, err := resource.Get(ctx, rootObject, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		object = v1.MeshRootCertificate{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, &object); err != nil {
			return false, err
		}
		conditions := object.Status.Conditions
		return meta.IsStatusConditionTrue(conditions, v1.ConditionReady) && meta.IsStatusConditionTrue(conditions, v1.ConditionInUse), nil
	})
	if err != nil {
		return fmt.Errorf("MeshRootCertificate %s is not ready and in use: %w; its status is %+v", rootObject, err, object.Status)
	}
	proof("MeshRootCertificate %s, %s, is ready and in use", object.Name, object.Spec.Role)
	for _, condition := range object.Status.Conditions {
		proof("  %s: %s", condition.Type, condition.Message)
	}
	return nil
}
