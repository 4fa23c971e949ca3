package status

import "time"

// Certificate is that of a service account, as one replica issued it. While it is
// still to be issued, serial and times are missing.
type Certificate struct {
	SPIFFEID       string    `json:"spiffeID"`
	Namespace      string    `json:"namespace"`
	ServiceAccount string    `json:"serviceAccount"`
	Serial         string    `json:"serial,omitempty"` // in hexadecimal
	NotBefore      time.Time `json:"notBefore,omitzero"`
	NotAfter       time.Time `json:"notAfter,omitzero"`
	// RenewAt is when it is to be replaced.
	RenewAt time.Time `json:"renewAt,omitzero"`
	// Authority names the MeshRootCertificate whose root it leads to; empty if that
	// is not known.
	Authority string `json:"authority,omitempty"`
	// Proxies counts those that are connected to the replica and use it.
	Proxies int `json:"proxies"`
}

// Proxy is a sidecar that is connected.
type Proxy struct {
	Namespace      string    `json:"namespace"`
	Pod            string    `json:"pod"`
	ServiceAccount string    `json:"serviceAccount"`
	UUID           string    `json:"uuid"`
	Since          time.Time `json:"since"`
	// Acked is when it last accepted what it was sent; zero before the first.
	Acked time.Time `json:"acked,omitzero"`
	// Streams counts its open ones: Envoy opens one for each secret.
	Streams int `json:"streams"`
}
