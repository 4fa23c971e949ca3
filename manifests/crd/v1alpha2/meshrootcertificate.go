package v1alpha2

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MeshRootCertificate is a root of the mesh.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mrc
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type MeshRootCertificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   MeshRootCertificateSpec   `json:"spec"`
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
	// The trust domain of the identities that this root certifies.
	// +kubebuilder:default=cluster.local
	// +kubebuilder:validation:MinLength=1
	TrustDomain string `json:"trustDomain,omitempty"`
	// Whether the root signs, is only trusted, neither, or revoked. osm-edge has no
	// roles: its one root signs.
	// +kubebuilder:default=active
	// +kubebuilder:validation:Enum=active;passive;inactive;revoked
	Role string `json:"role,omitempty"`
	// The certificate authority, exactly one.
	// +required
	Provider Provider `json:"provider"`
}

// Provider is a certificate authority: exactly one of its fields is set.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type Provider struct {
	CertManager *CertManager `json:"certManager,omitempty"`
	Vault       *Vault       `json:"vault,omitempty"`
	Tresor      *Tresor      `json:"tresor,omitempty"`
}

// CertManager is an issuer of cert-manager.
type CertManager struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	IssuerName string `json:"issuerName"`
	// +kubebuilder:validation:MinLength=1
	IssuerKind string `json:"issuerKind,omitempty"`
	// +kubebuilder:validation:MinLength=1
	IssuerGroup string `json:"issuerGroup,omitempty"`
}

// Vault is a PKI secrets engine of HashiCorp Vault, mounted at pki.
type Vault struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	Host string `json:"host"`
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// +required
	// +kubebuilder:validation:MinLength=1
	Role string `json:"role"`
	// +kubebuilder:validation:Enum=http;https
	Protocol string      `json:"protocol,omitempty"`
	Token    *VaultToken `json:"token,omitempty"`
}

// VaultToken is where Vault's token is.
type VaultToken struct {
	// +required
	SecretKeyRef SecretKeyReference `json:"secretKeyRef"`
}

// SecretKeyReference names a key of a Secret.
type SecretKeyReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	Key string `json:"key"`
	// +required
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace"`
}

// Tresor is the built-in certificate authority.
type Tresor struct {
	// +required
	CA TresorCA `json:"ca"`
}

// TresorCA is where the root and its key are.
type TresorCA struct {
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// SecretReference names a Secret.
type SecretReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// +required
	// +kubebuilder:validation:MinLength=1
	Namespace string `json:"namespace"`
}

// MeshRootCertificateStatus is osm-edge's state, and the status of version v1.
//
// +kubebuilder:pruning:PreserveUnknownFields
type MeshRootCertificateStatus struct {
	State string `json:"state,omitempty"`
}
