package v1alpha2

// Observability is what the mesh reports about itself.
type Observability struct {
	OSMLogLevel       string         `json:"osmLogLevel,omitempty"`
	EnableDebugServer *bool          `json:"enableDebugServer,omitempty"`
	Tracing           *Tracing       `json:"tracing,omitempty"`
	RemoteLogging     *RemoteLogging `json:"remoteLogging,omitempty"`
}

// Tracing is where traces go.
type Tracing struct {
	Enable          *bool   `json:"enable,omitempty"`
	Port            Port    `json:"port,omitempty"`
	Address         string  `json:"address,omitempty"`
	Endpoint        string  `json:"endpoint,omitempty"`
	SampledFraction *string `json:"sampledFraction,omitempty"`
}

// RemoteLogging is where sidecars' logs go.
type RemoteLogging struct {
	Enable *bool `json:"enable,omitempty"`
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2
	Level           *int32  `json:"level,omitempty"`
	Port            Port    `json:"port,omitempty"`
	Address         string  `json:"address,omitempty"`
	Endpoint        string  `json:"endpoint,omitempty"`
	Authorization   string  `json:"authorization,omitempty"`
	SampledFraction *string `json:"sampledFraction,omitempty"`
}

// FeatureFlags turn features of osm-edge on.
type FeatureFlags struct {
	EnableWASMStats    *bool `json:"enableWASMStats,omitempty"`
	EnableEgressPolicy *bool `json:"enableEgressPolicy,omitempty"`
	// EnableMulticlusterMode is no longer used by osm-edge either.
	EnableMulticlusterMode          *bool `json:"enableMulticlusterMode,omitempty"`
	EnableSnapshotCacheMode         *bool `json:"enableSnapshotCacheMode,omitempty"`
	EnableAsyncProxyServiceMapping  *bool `json:"enableAsyncProxyServiceMapping,omitempty"`
	EnableIngressBackendPolicy      *bool `json:"enableIngressBackendPolicy,omitempty"`
	EnableAccessControlPolicy       *bool `json:"enableAccessControlPolicy,omitempty"`
	EnableAccessCertPolicy          *bool `json:"enableAccessCertPolicy,omitempty"`
	EnableSidecarActiveHealthChecks *bool `json:"enableSidecarActiveHealthChecks,omitempty"`
	EnableRetryPolicy               *bool `json:"enableRetryPolicy,omitempty"`
	EnablePluginPolicy              *bool `json:"enablePluginPolicy,omitempty"`
}
