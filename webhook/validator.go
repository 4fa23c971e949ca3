package webhook

import (
	"context"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// RootUse is what a mesh needs the root of a MeshRootCertificate for.
type RootUse struct {
	// Signs tells that certificates are signed with the root.
	Signs bool
	// Successor is the name of another MeshRootCertificate that is Active, and
	// signs when this one does no longer.
	Successor string
	// Until is when the last certificate ends that was signed with the root.
	// The zero time: there is none.
	Until time.Time
}

// ValidatorOptions is what a Validator knows about the mesh.
type ValidatorOptions struct {
	// RootNotAfter returns when the root expires that signs. Default: it is not
	// known, and no lifetime is beyond it.
	RootNotAfter func(context.Context) (notAfter time.Time, known bool)
	// RootUse returns what the MeshRootCertificate of a name is needed for.
	// While it fails, none can be deleted or stop being Active but by force.
	// Default: none is needed.
	RootUse func(ctx context.Context, name string) (RootUse, error)
}

// Validator refuses MeshConfigs and MeshRootCertificates that the mesh could
// not work with. Schemas and CEL rules refuse what they can before.
type Validator struct{ options ValidatorOptions }

// NewValidator returns a Validator.
func NewValidator(options ValidatorOptions) *Validator {
	if options.RootNotAfter == nil {
		options.RootNotAfter = func(context.Context) (time.Time, bool) { return time.Time{}, false }
	}
	if options.RootUse == nil {
		options.RootUse = func(context.Context, string) (RootUse, error) { return RootUse{}, nil }
	}
	return &Validator{options}
}

// Handle answers an AdmissionReview.
func (v *Validator) Handle(ctx context.Context, request admission.Request) admission.Response {
	review, err := readReview(request)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if review.unchanged {
		return admission.Allowed("")
	}
	if review.kind == "MeshConfig" {
		v.meshConfig(ctx, review.config, &review.result)
	} else if err := v.meshRootCertificate(ctx, review, &review.result); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if problems := review.named(review.result.Problems); len(problems) > 0 {
		return invalid(request, problems)
	}
	return admission.Allowed("").WithWarnings(review.result.Warnings...)
}

func invalid(request admission.Request, problems field.ErrorList) admission.Response {
	kind := schema.GroupKind{Group: v1.GroupVersion.Group, Kind: request.Kind.Kind}
	status := apierrors.NewInvalid(kind, request.Name, problems).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
}
