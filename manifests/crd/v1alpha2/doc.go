// Package v1alpha2 is the mesh's own objects as osm-edge has them, so that what
// was written for it can be applied unchanged. It owns their form alone: the
// mesh follows version v1, and package convert makes one of the other.
//
// The schemas are no stricter than osm-edge's, and keep fields that neither
// knows. What this mesh does not act on is carried along.
//
// +groupName=config.openservicemesh.io
// +kubebuilder:object:generate=true
// +kubebuilder:validation:Optional
package v1alpha2
