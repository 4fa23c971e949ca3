package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what the apiVersion of this package's objects says.
var GroupVersion = schema.GroupVersion{Group: "config.openservicemesh.io", Version: "v1"}

// AddToScheme makes the objects of this package known to scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MeshConfig{}, &MeshConfigList{},
		&MeshRootCertificate{}, &MeshRootCertificateList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
