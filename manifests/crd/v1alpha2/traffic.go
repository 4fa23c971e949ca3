package v1alpha2

// Traffic is how connections are treated.
//
// +kubebuilder:pruning:PreserveUnknownFields
type Traffic struct {
	// +kubebuilder:validation:Enum=iptables;ebpf;none
	InterceptionMode                  string   `json:"interceptionMode,omitempty"`
	EnableEgress                      *bool    `json:"enableEgress,omitempty"`
	OutboundIPRangeExclusionList      []string `json:"outboundIPRangeExclusionList,omitempty"`
	OutboundIPRangeInclusionList      []string `json:"outboundIPRangeInclusionList,omitempty"`
	OutboundPortExclusionList         []Port   `json:"outboundPortExclusionList,omitempty"`
	InboundPortExclusionList          []Port   `json:"inboundPortExclusionList,omitempty"`
	EnablePermissiveTrafficPolicyMode *bool    `json:"enablePermissiveTrafficPolicyMode,omitempty"`

	InboundExternalAuthorization *ExternalAuthorization `json:"inboundExternalAuthorization,omitempty"`

	NetworkInterfaceExclusionList []string `json:"networkInterfaceExclusionList,omitempty"`
	HTTP1PerRequestLoadBalancing  *bool    `json:"http1PerRequestLoadBalancing,omitempty"`
	HTTP2PerRequestLoadBalancing  *bool    `json:"http2PerRequestLoadBalancing,omitempty"`
}

// Port is a TCP port.
//
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=65535
type Port int32

// ExternalAuthorization is a server that is asked about inbound requests.
type ExternalAuthorization struct {
	Enable  *bool  `json:"enable,omitempty"`
	Address string `json:"address,omitempty"`
	Port    Port   `json:"port,omitempty"`
	// +kubebuilder:default=inboundExtAuthz
	StatPrefix string `json:"statPrefix,omitempty"`
	// +kubebuilder:default="1s"
	Timeout          string `json:"timeout,omitempty"`
	FailureModeAllow *bool  `json:"failureModeAllow,omitempty"`
}

// PluginChains are the plugins of every sidecar.
type PluginChains struct {
	InboundTCPChains   []Plugin `json:"inbound-tcp,omitempty"`
	InboundHTTPChains  []Plugin `json:"inbound-http,omitempty"`
	OutboundTCPChains  []Plugin `json:"outbound-tcp,omitempty"`
	OutboundHTTPChains []Plugin `json:"outbound-http,omitempty"`
}

// Plugin is one plugin of a chain.
type Plugin struct {
	// +required
	Plugin string `json:"plugin"`
	// A number, which no new API would have for its rounding.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=number
	Priority float64 `json:"priority"`
	Disable  *bool   `json:"disable,omitempty"`
}
