// Package status is what a replica of osm-controller tells of itself: the
// document that it serves, and that osm reads. It holds no key and no token, and
// knows nothing of how it is served or shown.
package status

import "time"

const (
	// Port is where a replica serves the document, on its pod's loopback alone.
	Port = 9092
	// Path is that of the document.
	Path = "/status.json"
	// Most bounds the certificates and the proxies that are told of.
	Most = 5000
)

// Report is the document: what one replica sees of the mesh.
type Report struct {
	Time        time.Time `json:"time"`
	Mesh        string    `json:"mesh"`
	Namespace   string    `json:"namespace"`
	TrustDomain string    `json:"trustDomain"`
	Version     string    `json:"version"`
	Replica     string    `json:"replica"`
	// Leads says that it moves the replacement of roots on.
	Leads bool `json:"leads"`
	// NotReady says why the replica is not ready; empty if it is.
	NotReady string   `json:"notReady,omitempty"`
	Issuer   Issuer   `json:"issuer"`
	Rotation Rotation `json:"rotation"`
	// Roots are those that are trusted, the one that signs first.
	Roots []Root `json:"roots"`
	// Certificates are those that this replica holds, by SPIFFE ID, and
	// CertificateTotal counts them: more than Most are not listed.
	Certificates     []Certificate `json:"certificates"`
	CertificateTotal int           `json:"certificateTotal"`
	// Proxies are those that are connected to this replica, by pod, and
	// ProxyTotal counts them.
	Proxies    []Proxy `json:"proxies"`
	ProxyTotal int     `json:"proxyTotal"`
	// Refusals are the latest, the last one first.
	Refusals []Refusal `json:"refusals"`
}

// Issuer is the state of the issuer.
type Issuer struct {
	// Root names the MeshRootCertificate; empty before one signs.
	Root  string `json:"root,omitempty"`
	Works bool   `json:"works"`
	// The others are there while it fails.
	Since       time.Time `json:"since,omitzero"`
	NextAttempt time.Time `json:"nextAttempt,omitzero"`
	Failure     string    `json:"failure,omitempty"`
}

// Refusal is why a proxy did not get what it asked for.
type Refusal struct {
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Address string    `json:"address"`
	Message string    `json:"message"`
}
