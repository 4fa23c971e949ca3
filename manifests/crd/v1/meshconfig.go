package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshConfigName is the name of the MeshConfig that a mesh follows, in its own
// namespace.
const MeshConfigName = "osm-mesh-config"

// MeshConfig is the settings of a mesh that can be changed while it runs. What
// is not set is as the mesh was installed.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=meshconfig
// +kubebuilder:printcolumn:name="Certificates",type=string,JSONPath=`.spec.certificate.serviceCertValidityDuration`
// +kubebuilder:printcolumn:name="Keys",type=string,JSONPath=`.spec.certificate.keyAlgorithm`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshConfig struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the settings.
	// +optional
	Spec MeshConfigSpec `json:"spec,omitzero"`
	// status is what has come of them.
	// +optional
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
type MeshConfigSpec struct {
	// certificate is what service certificates look like.
	// +optional
	Certificate Certificate `json:"certificate,omitzero"`
	// sidecar is what injected sidecars look like. It takes effect in new pods.
	// +optional
	Sidecar Sidecar `json:"sidecar,omitzero"`
	// traffic is which connections sidecars leave alone. It takes effect in new pods.
	// +optional
	Traffic Traffic `json:"traffic,omitzero"`
	// observability is what the control plane reports about itself.
	// +optional
	Observability Observability `json:"observability,omitzero"`
}

// Certificate is what service certificates look like.
type Certificate struct {
	// serviceCertValidityDuration is the lifetime of a service certificate, a
	// Go duration such as 24h, 30m or 1h30m: at least a minute, at most ten years.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('87600h')",message="want a duration from 1m to 87600h (ten years)"
	ServiceCertValidityDuration string `json:"serviceCertValidityDuration,omitempty"`
	// keyAlgorithm is the kind and size of the keys of service certificates.
	// +optional
	KeyAlgorithm KeyAlgorithm `json:"keyAlgorithm,omitempty"`
}

// KeyAlgorithm is the kind and size of a private key.
//
// +kubebuilder:validation:Enum=ecdsa-p256;rsa-2048;rsa-3072;rsa-4096;ed25519
type KeyAlgorithm string

// Sidecar is what injected sidecars look like.
type Sidecar struct {
	// image is the sidecar's.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image,omitempty"`
	// initImage is that of osm-init.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	InitImage string `json:"initImage,omitempty"`
	// logLevel is the sidecar's.
	// +optional
	LogLevel LogLevel `json:"logLevel,omitempty"`
	// resources are the requests and limits of the sidecar: cpu, memory and
	// ephemeral-storage. Annotations of a namespace and of a pod take precedence.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// privilegedInitContainer makes osm-init privileged, for nodes where the
	// capability NET_ADMIN is not enough to intercept a pod's connections.
	// +optional
	PrivilegedInitContainer *bool `json:"privilegedInitContainer,omitempty"`
}

// Resources are the requests and limits of a container.
type Resources struct {
	// limits are the most that the container may use.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	Limits corev1.ResourceList `json:"limits,omitempty"`
	// requests are what the container is sure to get.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	Requests corev1.ResourceList `json:"requests,omitempty"`
}

// LogLevel is the least that is logged.
//
// +kubebuilder:validation:Enum=debug;info;warn;error
type LogLevel string

// Observability is what the control plane reports about itself.
type Observability struct {
	// logLevel is the control plane's.
	// +optional
	LogLevel LogLevel `json:"logLevel,omitempty"`
}

// MeshConfigStatus is what has come of a mesh's settings.
type MeshConfigStatus struct {
	// observedGeneration is the generation that the status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, with why it is or is not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
