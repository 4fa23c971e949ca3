package status

import (
	"time"

	"github.com/osm-edge/osm/issuer/rotation"
)

// Root is a root certificate that the mesh trusts.
type Root struct {
	// Authority names the MeshRootCertificate that it is of.
	Authority string `json:"authority"`
	Subject   string `json:"subject"`
	// Fingerprint is the SHA-256 of the certificate, in hexadecimal.
	Fingerprint string         `json:"fingerprint"`
	NotBefore   time.Time      `json:"notBefore"`
	NotAfter    time.Time      `json:"notAfter"`
	Stage       rotation.Stage `json:"stage"`
	// Until is when one that retires is dropped.
	Until time.Time `json:"until,omitzero"`
}

// Rotation is how far the replacement of a root has come.
type Rotation struct {
	// Step is distribute, sign or retire; empty when no root is being replaced.
	Step  string    `json:"step,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Deadline is when a root that is distributed signs, even without all
	// acknowledgements.
	Deadline time.Time `json:"deadline,omitzero"`
	// Progress is known to the replica that leads.
	Progress *Progress `json:"progress,omitempty"`
}

// Progress counts what a replacement waits for.
type Progress struct {
	// Pods have to acknowledge the new root; MissingTotal of them have not, and
	// Missing names the first, as namespace/name.
	Pods         int      `json:"pods"`
	MissingTotal int      `json:"missingTotal"`
	Missing      []string `json:"missing,omitempty"`
	// Certificates are in use; Replaced of them are of the root that signs.
	Certificates int `json:"certificates"`
	Replaced     int `json:"replaced"`
	// HeldBack of them have one that is not served yet, for clocks that are behind.
	HeldBack int `json:"heldBack,omitempty"`
}
