package v1

// Traffic is which connections of pods bypass their sidecars, in every pod.
// Annotations of a pod add to it.
type Traffic struct {
	// inboundPortExclusions are ports that pods are called on.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	InboundPortExclusions []Port `json:"inboundPortExclusions,omitempty"`
	// outboundPortExclusions are ports that pods call.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	OutboundPortExclusions []Port `json:"outboundPortExclusions,omitempty"`
	// outboundIPRangeExclusions are addresses that pods call.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	OutboundIPRangeExclusions []IPRange `json:"outboundIPRangeExclusions,omitempty"`
	// outboundIPRangeInclusions are the only addresses that pods call through
	// their sidecars. Without any, all are.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	OutboundIPRangeInclusions []IPRange `json:"outboundIPRangeInclusions,omitempty"`
	// networkInterfaceExclusions are network interfaces of pods, such as net1.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	NetworkInterfaceExclusions []NetworkInterface `json:"networkInterfaceExclusions,omitempty"`
}

// Port is a TCP port.
//
// +kubebuilder:validation:Minimum=1
// +kubebuilder:validation:Maximum=65535
type Port int32

// IPRange is a range of addresses in CIDR notation, such as 10.0.0.0/8 or fd00::/8.
//
// +kubebuilder:validation:MinLength=4
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="want CIDR notation, such as 10.0.0.0/8 or fd00::/8"
type IPRange string

// NetworkInterface is the name of a network interface.
//
// +kubebuilder:validation:Pattern=`^[!-.0-9;-~]{1,15}$`
type NetworkInterface string
