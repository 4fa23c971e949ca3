package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/manifests/crd/convert"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// NewConverter returns the handler of ConversionReviews of the mesh's own
// objects. One of the version asked for passes unchanged. The first that can't
// be converted fails the review by its name, and what to fix.
func NewConverter(logger *slog.Logger) http.Handler {
	return newIntake(conversionLimits()).handle(func(w http.ResponseWriter, r *http.Request, body []byte) {
		review, err := readConversion(body)
		if err != nil {
			http.Error(w, clip(err.Error(), maxMessage), http.StatusBadRequest)
			return
		}
		review.Response = answer(review.Request)
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			logger.ErrorContext(r.Context(), "conversion answer not sent", "uid", review.Response.UID, "error", err)
		}
	})
}

func readConversion(body []byte) (*apiextensionsv1.ConversionReview, error) {
	review := &apiextensionsv1.ConversionReview{}
	if err := json.Unmarshal(body, review); err != nil {
		return nil, fmt.Errorf("decoding the ConversionReview: %w", err)
	}
	known := apiextensionsv1.SchemeGroupVersion.WithKind("ConversionReview")
	if review.GroupVersionKind() != known {
		return nil, fmt.Errorf("this is %s, not %s: set conversionReviewVersions to v1 in the CRD",
			review.GroupVersionKind(), known)
	}
	if review.Request == nil {
		return nil, errors.New("the ConversionReview has no request")
	}
	return review, nil
}

func answer(request *apiextensionsv1.ConversionRequest) *apiextensionsv1.ConversionResponse {
	response := &apiextensionsv1.ConversionResponse{UID: request.UID, Result: metav1.Status{Status: metav1.StatusSuccess}}
	for _, object := range request.Objects {
		converted, err := convertTo(request.DesiredAPIVersion, object.Raw)
		if err != nil {
			return &apiextensionsv1.ConversionResponse{
				UID:    request.UID,
				Result: metav1.Status{Status: metav1.StatusFailure, Message: clip(err.Error(), maxMessage)},
			}
		}
		response.ConvertedObjects = append(response.ConvertedObjects, runtime.RawExtension{Raw: converted})
	}
	return response
}

func convertTo(apiVersion string, raw []byte) ([]byte, error) {
	object, err := decodeObject(raw)
	if err != nil {
		return nil, fmt.Errorf("decoding an object to convert: %w", err)
	}
	if object.GetAPIVersion() == apiVersion {
		return raw, nil
	}
	if err := convert.To(apiVersion, object); err != nil {
		return nil, err
	}
	return json.Marshal(object.Object)
}

// decodeObject keeps what no Go type knows.
func decodeObject(raw []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &object.Object); err != nil {
		return nil, err
	}
	if object.Object == nil {
		return nil, errors.New("not an object")
	}
	return object, keptWithin(keptLimits, object.GetAnnotations())
}

// keptLimits are those of the JSON that an annotation holds of another version's
// fields, of which the body has shown a string only. No object has more
// annotations than 256 KiB (Kubernetes, TotalAnnotationSizeLimitB).
var keptLimits = limits{bytes: 256 << 10, values: 20_000, depth: 64, name: 8 << 10, text: 256 << 10, number: 64}

func keptWithin(l limits, annotations map[string]string) error {
	for name, value := range annotations {
		if !strings.HasPrefix(name, v1.GroupVersion.Group+"/") {
			continue
		}
		if _, err := newScanner(l).Write([]byte(value)); err != nil {
			return fmt.Errorf("metadata.annotations[%.128s]: %w", name, err)
		}
	}
	return nil
}
