package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshConfig is the settings of a mesh.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=meshconfig
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   MeshConfigSpec   `json:"spec,omitzero"`
	Status MeshConfigStatus `json:"status,omitzero"`
}

// MeshConfigList is a list of MeshConfigs.
//
// +kubebuilder:object:root=true
type MeshConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MeshConfig `json:"items"`
}

// MeshConfigSpec is the settings of a mesh.
//
// +kubebuilder:pruning:PreserveUnknownFields
type MeshConfigSpec struct {
	ClusterSet    *ClusterSet    `json:"clusterSet,omitempty"`
	Sidecar       *Sidecar       `json:"sidecar,omitempty"`
	RepoServer    *RepoServer    `json:"repoServer,omitempty"`
	Traffic       *Traffic       `json:"traffic,omitempty"`
	Observability *Observability `json:"observability,omitempty"`
	Certificate   *Certificate   `json:"certificate,omitempty"`
	FeatureFlags  *FeatureFlags  `json:"featureFlags,omitempty"`
	PluginChains  *PluginChains  `json:"pluginChains,omitempty"`
}

// Certificate is what certificates look like.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Certificate struct {
	// The lifetime of a service certificate, a Go duration such as 24h or 1h30m.
	ServiceCertValidityDuration string `json:"serviceCertValidityDuration,omitempty"`
	// The size of an RSA key in bits.
	CertKeyBitSize *int32                     `json:"certKeyBitSize,omitempty"`
	IngressGateway *IngressGatewayCertificate `json:"ingressGateway,omitempty"`
}

// IngressGatewayCertificate is that of an ingress gateway.
type IngressGatewayCertificate struct {
	// +required
	// +kubebuilder:validation:MinItems=1
	SubjectAltNames []string `json:"subjectAltNames"`
	// +required
	ValidityDuration string `json:"validityDuration"`
	// +required
	Secret GatewaySecret `json:"secret"`
}

// GatewaySecret names a Secret.
type GatewaySecret struct {
	// +required
	Name string `json:"name"`
	// +required
	Namespace string `json:"namespace"`
}

// ClusterSet describes the cluster.
type ClusterSet struct {
	Properties []ClusterProperty `json:"properties,omitempty"`
}

// ClusterProperty is a property of the cluster.
type ClusterProperty struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// RepoServer is a server of Pipy's scripts.
type RepoServer struct {
	// +required
	IPAddr string `json:"ipaddr"`
	// +required
	Codebase string `json:"codebase"`
}

// MeshConfigStatus is that of version v1. osm-edge has none.
//
// +kubebuilder:pruning:PreserveUnknownFields
type MeshConfigStatus struct{}
