package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshRootCertificate is a root of the mesh: a certificate authority, and
// whether its certificates are given out, only trusted, or neither.
//
// A root is replaced by a second object. When it becomes Active, its
// certificates are trusted everywhere first, and signed by it then. Of several
// that are Active, the newest signs and the others are as if Passive.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mrc
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="In use",type=string,JSONPath=`.status.conditions[?(@.type=="InUse")].status`
// +kubebuilder:printcolumn:name="Rotation",type=string,JSONPath=`.status.rotation.step`
// +kubebuilder:printcolumn:name="Not after",type=string,JSONPath=`.status.notAfter`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshRootCertificate struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is asked for.
	// +required
	Spec MeshRootCertificateSpec `json:"spec"`
	// status is what has come of it.
	// +optional
	Status MeshRootCertificateStatus `json:"status,omitzero"`
}

// MeshRootCertificateList is a list of MeshRootCertificates.
//
// +kubebuilder:object:root=true
type MeshRootCertificateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MeshRootCertificate `json:"items"`
}

// MeshRootCertificateSpec is the certificate authority, and what it is used
// for.
type MeshRootCertificateSpec struct {
	// trustDomain is what every identity that is certified belongs to, as in
	// spiffe://<trustDomain>/ns/shop/sa/web. It can't be changed.
	// +optional
	// +default="cluster.local"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="it can't be changed: make another MeshRootCertificate"
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[a-z0-9_-]+([.][a-z0-9_-]+)*$")`,message="not a SPIFFE trust domain: use lower-case letters, digits, dots, dashes and underscores, such as cluster.local"
	TrustDomain string `json:"trustDomain,omitempty"`
	// role sets whether certificates are signed by this root and trusted
	// (Active), only trusted (Passive), or neither (Inactive). Revoked is for a
	// root whose key has leaked: it is not trusted from then on, and connections
	// that depend on it end.
	// +required
	Role Role `json:"role"`
	// provider is the certificate authority. Its kind can't be changed.
	// +required
	Provider Provider `json:"provider"`
}

// Role is what a root is used for.
//
// +kubebuilder:validation:Enum=Active;Passive;Inactive;Revoked
type Role string

// The roles of a root.
const (
	// Active roots sign, the newest of them if there are several. All are trusted.
	Active Role = "Active"
	// Passive roots are trusted.
	Passive Role = "Passive"
	// Inactive roots are not used. What they have signed is accepted as long as
	// it lives.
	Inactive Role = "Inactive"
	// Revoked roots are accepted nowhere, at once.
	Revoked Role = "Revoked"
)

// Used reports whether a root of the role is trusted.
func (r Role) Used() bool { return r == Active || r == Passive }

// MeshRootCertificateStatus is what the mesh knows about a root.
type MeshRootCertificateStatus struct {
	// observedGeneration is the generation that the status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready and InUse, each with why it is or is not, and, for a
	// root that has ever signed, Signing.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// notAfter is when the first of the roots expires.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
	// roots are the issuer's root certificates.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Roots []RootStatus `json:"roots,omitempty"`
	// rotation is how far the mesh has come in replacing its root by this one.
	// It is absent when no root is being replaced.
	// +optional
	Rotation *RotationStatus `json:"rotation,omitempty"`
}

// RotationStatus is how far the replacement of a root has come.
type RotationStatus struct {
	// step is distribute while the new root is only trusted, sign while
	// certificates of the former root are replaced, and retire while that one is
	// still trusted, as long as one of its certificates could live.
	// +required
	// +kubebuilder:validation:Enum=distribute;sign;retire
	Step string `json:"step"`
	// since is when the step began.
	// +required
	Since metav1.Time `json:"since"`
	// deadline is when the root signs though some pods have not acknowledged it.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`
	// pods is how many have to acknowledge the root, those with a sidecar that
	// run, and acknowledged how many have.
	// +optional
	Pods int32 `json:"pods"`
	// +optional
	Acknowledged int32 `json:"acknowledged"`
	// missing names some of the pods that have not, as namespace/name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Missing []string `json:"missing,omitempty"`
	// certificates is how many service certificates are in use, and replaced how
	// many of them the root has signed.
	// +optional
	Certificates int32 `json:"certificates"`
	// +optional
	Replaced int32 `json:"replaced"`
	// heldBack is how many more are issued, and served when nodes whose clocks are
	// behind accept them.
	// +optional
	HeldBack int32 `json:"heldBack,omitempty"`
}

// RootStatus describes a root certificate.
type RootStatus struct {
	// subject is the certificate's, as in CN=osm-ca.openservicemesh.io.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject"`
	// fingerprint is the SHA-256 of the certificate, in lower-case hex.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	Fingerprint string `json:"fingerprint"`
	// notAfter is when the certificate expires.
	// +required
	NotAfter metav1.Time `json:"notAfter"`
}

// The types of a MeshRootCertificate's conditions.
const (
	// ConditionReady is True when the authority can be used: it is reached and
	// its roots are known.
	ConditionReady = "Ready"
	// ConditionInUse is True while the root is trusted or signs.
	ConditionInUse = "InUse"
	// ConditionSigning is True while the root signs, and then says since when it
	// does no longer.
	ConditionSigning = "Signing"
)

// The reasons of ConditionReady.
const (
	// ReasonReached is that of an authority that can be used.
	ReasonReached = "Reached"
	// ReasonRootsRefused is that of one that can be used, and has roots beside its
	// own that are not trusted.
	ReasonRootsRefused = "RootsRefused"
	// ReasonUnreachable is that of one that does not answer.
	ReasonUnreachable = "Unreachable"
	// ReasonRefused is that of one that the mesh cannot be built on as it is.
	ReasonRefused = "Refused"
	// ReasonSecretMissing is that of one whose Secret is not there, or lacks a key.
	ReasonSecretMissing = "SecretMissing"
	// ReasonFailing is that of one that answers, and does not sign.
	ReasonFailing = "Failing"
)

// Reasons of ConditionReady while an authority can be used and needs attention.
const (
	// ReasonRootsLeftOut: a certificate in the Secret of its roots is not trusted.
	ReasonRootsLeftOut = "RootsLeftOut"
	// ReasonTokenEnds: the token for Vault ends, and the mesh cannot renew it.
	ReasonTokenEnds = "TokenEnds"
	// ReasonLifetimesShortened: certificates live shorter than the mesh asks for.
	ReasonLifetimesShortened = "LifetimesShortened"
)

// AnnotationVaultAddress on a Secret with a token of Vault is the address that
// the token may be sent to.
const AnnotationVaultAddress = "openservicemesh.io/vault-address"

// AnnotationForce with the value "true" on a MeshRootCertificate lets it be
// deleted, or no longer be Active, although the mesh needs it.
const AnnotationForce = "config.openservicemesh.io/force"
