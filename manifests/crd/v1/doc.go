// Package v1 is version v1 of the mesh's own objects, the one that is stored
// and that the mesh follows: MeshConfig and MeshRootCertificate. It owns their
// form, and the schemas that are generated from it.
//
// It must not know what the mesh does with them, nor any other version.
//
// +groupName=config.openservicemesh.io
// +kubebuilder:object:generate=true
package v1
