package certmanager

import (
	"bytes"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// certificateRequest is what is written and read of cert-manager's
// CertificateRequest (cert-manager.io/v1). Its own Go types would bring in its
// dependencies, which outnumber those of the mesh.
type certificateRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   requestSpec   `json:"spec"`
	Status requestStatus `json:"status,omitzero"`
}

type requestSpec struct {
	Request   []byte          `json:"request"` // PEM of PKCS #10
	Duration  metav1.Duration `json:"duration"`
	Usages    []string        `json:"usages"`
	IssuerRef Reference       `json:"issuerRef"`
}

type requestStatus struct {
	Conditions  []condition `json:"conditions,omitempty"`
	Certificate []byte      `json:"certificate,omitempty"` // PEM, the leaf first
}

type condition struct {
	Type    string                 `json:"type"`
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason,omitempty"`
	Message string                 `json:"message,omitempty"`
}

// certificateRequestList is a list of them.
type certificateRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []certificateRequest `json:"items"`
}

// issuerObject is what is read of an Issuer or ClusterIssuer.
type issuerObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		ACME       *struct{} `json:"acme,omitempty"`
		SelfSigned *struct{} `json:"selfSigned,omitempty"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions,omitempty"`
	} `json:"status"`
}

// DeepCopyObject implements runtime.Object.
func (r *certificateRequest) DeepCopyObject() runtime.Object { return new(r.copy()) }

func (r *certificateRequest) copy() certificateRequest {
	c := *r
	c.ObjectMeta = *r.ObjectMeta.DeepCopy()
	c.Spec.Request = bytes.Clone(r.Spec.Request)
	c.Spec.Usages = slices.Clone(r.Spec.Usages)
	c.Status.Conditions = slices.Clone(r.Status.Conditions)
	c.Status.Certificate = bytes.Clone(r.Status.Certificate)
	return c
}

// DeepCopyObject implements runtime.Object.
func (l *certificateRequestList) DeepCopyObject() runtime.Object {
	c := *l
	c.ListMeta = *l.ListMeta.DeepCopy()
	c.Items = make([]certificateRequest, len(l.Items))
	for i := range l.Items {
		c.Items[i] = l.Items[i].copy()
	}
	return &c
}

// DeepCopyObject implements runtime.Object.
func (o *issuerObject) DeepCopyObject() runtime.Object {
	c := *o
	c.ObjectMeta = *o.ObjectMeta.DeepCopy()
	c.Status.Conditions = slices.Clone(o.Status.Conditions)
	return &c
}

// find returns the condition of that type, and whether there is one.
func find(conditions []condition, kind string) (condition, bool) {
	for _, c := range conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return condition{}, false
}

func holds(conditions []condition, kind string) bool {
	c, ok := find(conditions, kind)
	return ok && c.Status == metav1.ConditionTrue
}
