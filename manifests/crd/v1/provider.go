package v1

import "strings"

// Provider is a certificate authority: exactly one of its fields is set.
//
// +kubebuilder:validation:ExactlyOneOf=tresor;vault;certManager
// +kubebuilder:validation:XValidation:rule="has(self.tresor) == has(oldSelf.tresor) && has(self.vault) == has(oldSelf.vault)",message="its kind can't be changed: for another issuer, make another MeshRootCertificate"
type Provider struct {
	// tresor is the built-in issuer.
	// +optional
	Tresor *Tresor `json:"tresor,omitempty"`
	// vault is a PKI secrets engine of HashiCorp Vault.
	// +optional
	Vault *Vault `json:"vault,omitempty"`
	// certManager is an issuer of cert-manager.
	// +optional
	CertManager *CertManager `json:"certManager,omitempty"`
}

// Kinds are the names of the fields that are set.
func (p Provider) Kinds() (kinds []string) {
	if p.Tresor != nil {
		kinds = append(kinds, "tresor")
	}
	if p.Vault != nil {
		kinds = append(kinds, "vault")
	}
	if p.CertManager != nil {
		kinds = append(kinds, "certManager")
	}
	return kinds
}

// Tresor is the built-in authority.
type Tresor struct {
	// secretRef is the Secret of the root and its key, in the object's own
	// namespace. If there is none, it is made with a new root.
	// +required
	SecretRef SecretReference `json:"secretRef"`
}

// Vault is a PKI secrets engine of HashiCorp Vault, and how to log in.
type Vault struct {
	// address is Vault's URL, such as https://vault.vault.svc:8200, with the path that
	// a proxy has Vault at, if any. Over http, the login can be read on the way, and no
	// roots are trusted but those of a Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`isURL(self) && self.matches(r"^[Hh][Tt][Tt][Pp][Ss]?://([0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?[.]?|\[[0-9A-Fa-f:.]+\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/([.]?[0-9A-Za-z!$&'()*+,:;=@_~-][0-9A-Za-z!$&'()*+,.:;=@_~-]*|[.]{2}[0-9A-Za-z!$&'()*+,.:;=@_~-]+))*/?$")`,message="want a URL such as https://vault.vault.svc:8200, with nothing but the path beside that a proxy has Vault at"
	Address string `json:"address"`
	// mount is the path that the secrets engine is mounted at.
	// +optional
	// +default="pki"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^/?([.]?[\p{L}\p{M}\p{N}!$&'()*+,:;=@_~-]([\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])?|[.]{2}[\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])(/([.]?[\p{L}\p{M}\p{N}!$&'()*+,:;=@_~-]([\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])?|[.]{2}[\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-]))*/?$")`,message="want the path of a mount, such as pki or team/pki, with single slashes between, and none of %, ? and #"
	Mount string `json:"mount,omitempty"`
	// role is that of the secrets engine that certificates are issued with.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?$")`,message="want the name of a role: letters, digits and underscores, with dots and dashes between"
	Role string `json:"role"`
	// caBundle is the PEM certificates that Vault's own is verified with. The
	// system's roots are used without it.
	// +optional
	// +kubebuilder:validation:MaxLength=262144
	CABundle []byte `json:"caBundle,omitempty"`
	// rootsSecretRef is the Secret, in the object's own namespace, whose key ca.crt
	// holds the root certificates that Vault's chains end with: no others are
	// trusted. Without it, those are trusted that the issuer of role chains to; over
	// http, those of the mesh's own Secret, osm-ca-bundle.
	// +optional
	RootsSecretRef *SecretReference `json:"rootsSecretRef,omitempty"`
	// auth is how the mesh logs in to Vault.
	// +required
	Auth VaultAuth `json:"auth"`
}

// VaultAuth is how the mesh logs in to Vault: exactly one of its fields is set.
//
// +kubebuilder:validation:ExactlyOneOf=tokenSecretRef;kubernetes
type VaultAuth struct {
	// tokenSecretRef is the key of a Secret that holds a token of Vault. The
	// annotation openservicemesh.io/vault-address of the Secret has to be the address
	// that the token is sent to, unless the chart's values name both.
	// +optional
	TokenSecretRef *SecretKeyReference `json:"tokenSecretRef,omitempty"`
	// kubernetes logs in as the service account of osm-controller, at the address of
	// the chart's osm.vault alone.
	// +optional
	Kubernetes *VaultKubernetesAuth `json:"kubernetes,omitempty"`
}

// VaultKubernetesAuth is Vault's Kubernetes auth method.
type VaultKubernetesAuth struct {
	// role is that of the auth method.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?$")`,message="want the name of a role: letters, digits and underscores, with dots and dashes between"
	Role string `json:"role"`
	// mountPath is the path that the auth method is mounted at.
	// +optional
	// +default="kubernetes"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^/?([.]?[\p{L}\p{M}\p{N}!$&'()*+,:;=@_~-]([\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])?|[.]{2}[\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])(/([.]?[\p{L}\p{M}\p{N}!$&'()*+,:;=@_~-]([\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-])?|[.]{2}[\p{L}\p{M}\p{N} !$&'()*+,.:;=@_~-]*[\p{L}\p{M}\p{N}!$&'()*+,.:;=@_~-]))*/?$")`,message="want the path of a mount, such as pki or team/pki, with single slashes between, and none of %, ? and #"
	MountPath string `json:"mountPath,omitempty"`
}

// RootsSecret returns the name of the Secret that the roots of Vault are read
// from, if they are: own is the mesh's.
func (v Vault) RootsSecret(own string) (name string, ok bool) {
	switch {
	case v.RootsSecretRef != nil:
		return v.RootsSecretRef.Name, true
	case v.Plain():
		return own, true
	}
	return "", false
}

// Plain reports whether Vault is asked without TLS.
func (v Vault) Plain() bool { return strings.HasPrefix(strings.ToLower(v.Address), "http:") }

// CertManager is an issuer of cert-manager.
type CertManager struct {
	// issuerRef is the issuer that CertificateRequests name.
	// +required
	IssuerRef IssuerReference `json:"issuerRef"`
	// rootsSecretRef is the Secret, in the object's own namespace, whose key ca.crt
	// holds the root certificates that the issuer's chains end with. The mesh's
	// own, osm-ca-bundle, is used without it.
	// +optional
	RootsSecretRef *SecretReference `json:"rootsSecretRef,omitempty"`
}

// RootsSecret returns the name of the Secret of the roots: own is the mesh's.
func (c CertManager) RootsSecret(own string) string {
	if c.RootsSecretRef != nil {
		return c.RootsSecretRef.Name
	}
	return own
}

// IssuerReference names an issuer of cert-manager.
//
// +kubebuilder:validation:XValidation:rule="(has(self.group) && self.group != 'cert-manager.io') || !has(self.kind) || self.kind in ['Issuer', 'ClusterIssuer']",message="cert-manager.io has no issuers but of kind Issuer and ClusterIssuer: set the group of an external issuer, too"
type IssuerReference struct {
	// name is the issuer's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")`,message="want the name of an issuer: lower-case letters and digits, with dashes and dots between"
	Name string `json:"name"`
	// kind is Issuer, ClusterIssuer, or that of an external issuer.
	// +optional
	// +default="Issuer"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[A-Z][A-Za-z0-9]*$")`,message="want a kind such as Issuer or ClusterIssuer"
	Kind string `json:"kind,omitempty"`
	// group is the API group of kind.
	// +optional
	// +default="cert-manager.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")`,message="want an API group such as cert-manager.io"
	Group string `json:"group,omitempty"`
}

// SecretReference names a Secret of the object's own namespace.
type SecretReference struct {
	// name is the Secret's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")`,message="want the name of a Secret: lower-case letters and digits, with dashes and dots between"
	Name string `json:"name"`
}

// SecretKeyReference names a key of a Secret of the object's own namespace.
type SecretKeyReference struct {
	// name is the Secret's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")`,message="want the name of a Secret: lower-case letters and digits, with dashes and dots between"
	Name string `json:"name"`
	// key is that of the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r"^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$")`,message="want a key of a Secret: letters, digits, dashes, underscores and dots"
	Key string `json:"key"`
}
