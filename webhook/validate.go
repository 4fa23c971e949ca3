package webhook

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// minServiceCertValidity is short enough for any test and long enough for a
// certificate to reach its proxies before it is renewed.
const minServiceCertValidity = time.Minute

// Validate is the admission.HandlerFunc that refuses MeshConfigs and
// MeshRootCertificates that the mesh could not work with. An absent field is
// left to the defaults of the CRD.
func Validate(_ context.Context, request admission.Request) admission.Response {
	if request.Operation == admissionv1.Delete {
		return admission.Allowed("")
	}
	check, known := map[metav1.GroupVersionKind]func([]byte) (field.ErrorList, error){
		{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshRootCertificate"}: validateMeshRootCertificate,
		{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: "MeshConfig"}:          validateMeshConfig,
	}[request.Kind]
	if !known {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf(
			"%s is not validated here: call this webhook for MeshConfig and MeshRootCertificate of config.openservicemesh.io/v1alpha2 only",
			request.Kind))
	}
	problems, err := check(request.Object.Raw)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("decoding %s %s: %w", request.Kind.Kind, request.Name, err))
	}
	if len(problems) > 0 {
		return invalid(request, problems)
	}
	return admission.Allowed("")
}

func invalid(request admission.Request, problems field.ErrorList) admission.Response {
	kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
	status := apierrors.NewInvalid(kind, request.Name, problems).Status()
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &status}}
}

func validateMeshRootCertificate(raw []byte) (field.ErrorList, error) {
	var object struct {
		Spec struct {
			TrustDomain string         `json:"trustDomain"`
			Role        string         `json:"role"`
			Provider    map[string]any `json:"provider"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	var problems field.ErrorList
	spec := field.NewPath("spec")
	if domain := object.Spec.TrustDomain; domain != "" && !validTrustDomain(domain) {
		problems = append(problems, field.Invalid(spec.Child("trustDomain"), domain,
			"not a SPIFFE trust domain: use lower-case letters, digits, dots, dashes and underscores, such as cluster.local"))
	}
	roles := []string{"active", "passive", "inactive"}
	if role := object.Spec.Role; role != "" && !slices.Contains(roles, role) {
		problems = append(problems, field.NotSupported(spec.Child("role"), role, roles))
	}
	return append(problems, validateProvider(spec.Child("provider"), object.Spec.Provider)...), nil
}

func validateProvider(path *field.Path, provider map[string]any) field.ErrorList {
	var set []string
	for _, kind := range []string{"tresor", "vault", "certManager"} {
		if provider[kind] != nil {
			set = append(set, kind)
		}
	}
	switch len(set) {
	case 0:
		return field.ErrorList{field.Required(path, "set exactly one of tresor, vault and certManager")}
	case 1:
		return nil
	}
	return field.ErrorList{field.Forbidden(path, "sets "+strings.Join(set, " and ")+": keep exactly one of tresor, vault and certManager")}
}

// validTrustDomain is SPIFFE-ID section 2.1, without the URI form that go-spiffe
// takes as well, and without empty DNS labels, for certificates name their
// services by DNS names that end in the trust domain.
func validTrustDomain(name string) bool {
	domain, err := spiffeid.TrustDomainFromString(name)
	return err == nil && domain.Name() == name && !slices.Contains(strings.Split(name, "."), "")
}

func validateMeshConfig(raw []byte) (field.ErrorList, error) {
	var object struct {
		Spec struct {
			Certificate struct {
				ServiceCertValidityDuration *string `json:"serviceCertValidityDuration"`
				CertKeyBitSize              *int    `json:"certKeyBitSize"`
			} `json:"certificate"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	var problems field.ErrorList
	path := field.NewPath("spec", "certificate")
	if value := object.Spec.Certificate.ServiceCertValidityDuration; value != nil {
		problems = append(problems, validateValidity(path.Child("serviceCertValidityDuration"), *value)...)
	}
	sizes := []string{"2048", "3072", "4096"}
	if size := object.Spec.Certificate.CertKeyBitSize; size != nil && !slices.Contains(sizes, strconv.Itoa(*size)) {
		problems = append(problems, field.NotSupported(path.Child("certKeyBitSize"), *size, sizes))
	}
	return problems, nil
}

func validateValidity(path *field.Path, value string) field.ErrorList {
	validity, err := time.ParseDuration(value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, value, "not a Go duration: write it as 24h, 30m or 1h30m")}
	}
	if validity < minServiceCertValidity {
		return field.ErrorList{field.Invalid(path, value, "too short: use at least 1m, for renewal to keep up")}
	}
	return nil
}
