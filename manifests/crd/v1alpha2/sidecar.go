package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
)

// Sidecar is what injected sidecars look like.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Sidecar struct {
	EnablePrivilegedInitContainer *bool `json:"enablePrivilegedInitContainer,omitempty"`
	// +kubebuilder:validation:Enum=trace;debug;info;warning;warn;error;critical;off
	LogLevel string `json:"logLevel,omitempty"`
	// +kubebuilder:validation:Enum=pipy;envoy
	SidecarClass string `json:"sidecarClass,omitempty"`
	SidecarImage string `json:"sidecarImage,omitempty"`
	// SidecarWindowsImage is called so in osm-edge's schema.
	SidecarWindowsImage string `json:"sidecarWindowsImage,omitempty"`
	// SidecarImageWindowsImage is called so in osm-edge's code.
	SidecarImageWindowsImage string          `json:"SidecarImageWindowsImage,omitempty"`
	InitContainerImage       string          `json:"initContainerImage,omitempty"`
	SidecarDrivers           []SidecarDriver `json:"sidecarDrivers,omitempty"`
	MaxDataPlaneConnections  *int64          `json:"maxDataPlaneConnections,omitempty"`
	ConfigResyncInterval     string          `json:"configResyncInterval,omitempty"`
	SidecarTimeout           *int64          `json:"sidecarTimeout,omitempty"`
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// +kubebuilder:default=TLSv1_2
	TLSMinProtocolVersion TLSVersion `json:"tlsMinProtocolVersion,omitempty"`
	// +kubebuilder:default=TLSv1_3
	TLSMaxProtocolVersion TLSVersion `json:"tlsMaxProtocolVersion,omitempty"`
	CipherSuites          []string   `json:"cipherSuites,omitempty"`
	ECDHCurves            []string   `json:"ecdhCurves,omitempty"`
	// +kubebuilder:default=Localhost
	// +kubebuilder:validation:Enum=Localhost;PodIP
	LocalProxyMode string         `json:"localProxyMode,omitempty"`
	LocalDNSProxy  *LocalDNSProxy `json:"localDNSProxy,omitempty"`
}

// TLSVersion is a version of the TLS protocol.
//
// +kubebuilder:validation:Enum=TLS_AUTO;TLSv1_0;TLSv1_1;TLSv1_2;TLSv1_3
type TLSVersion string

// SidecarDriver is one of the programs that can be the sidecar.
//
// +kubebuilder:pruning:PreserveUnknownFields
type SidecarDriver struct {
	// +required
	SidecarName  string `json:"sidecarName"`
	SidecarImage string `json:"sidecarImage,omitempty"`
	// SidecarWindowsImage is called so in osm-edge's schema.
	SidecarWindowsImage string `json:"sidecarWindowsImage,omitempty"`
	// SidecarImageWindowsImage is called so in osm-edge's code.
	SidecarImageWindowsImage string `json:"sidecarImageWindowsImage,omitempty"`
	InitContainerImage       string `json:"initContainerImage,omitempty"`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	ProxyServerPort     int32 `json:"proxyServerPort,omitempty"`
	SidecarDisabledMTLS *bool `json:"sidecarDisabledMTLS,omitempty"`
}

// LocalDNSProxy is a DNS proxy in the sidecar.
type LocalDNSProxy struct {
	Enable                           *bool  `json:"enable,omitempty"`
	PrimaryUpstreamDNSServerIPAddr   string `json:"primaryUpstreamDNSServerIPAddr,omitempty"`
	SecondaryUpstreamDNSServerIPAddr string `json:"secondaryUpstreamDNSServerIPAddr,omitempty"`
}
