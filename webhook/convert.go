package webhook

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
)

// NewConverter returns the handler of ConversionReviews. The mesh's CRDs have
// one version each: an object of the version asked for passes unchanged, and
// anything else is a failure that names both versions.
func NewConverter(logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review, err := readConversion(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = convert(review.Request)
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			logger.ErrorContext(r.Context(), "conversion answer not sent", "uid", review.Response.UID, "error", err)
		}
	})
}

func readConversion(body io.Reader) (*apiextensionsv1.ConversionReview, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading the ConversionReview: %w", err)
	}
	review := &apiextensionsv1.ConversionReview{}
	if err := json.Unmarshal(data, review); err != nil {
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

func convert(request *apiextensionsv1.ConversionRequest) *apiextensionsv1.ConversionResponse {
	for _, object := range request.Objects {
		if err := alreadyAt(request.DesiredAPIVersion, object); err != nil {
			return &apiextensionsv1.ConversionResponse{
				UID:    request.UID,
				Result: metav1.Status{Status: metav1.StatusFailure, Message: err.Error()},
			}
		}
	}
	return &apiextensionsv1.ConversionResponse{
		UID:              request.UID,
		ConvertedObjects: request.Objects,
		Result:           metav1.Status{Status: metav1.StatusSuccess},
	}
}

func alreadyAt(version string, object runtime.RawExtension) error {
	var header metav1.PartialObjectMetadata
	if err := json.Unmarshal(object.Raw, &header); err != nil {
		return fmt.Errorf("decoding an object to convert: %w", err)
	}
	if header.APIVersion != version {
		return fmt.Errorf("%s %s/%s is %s and can't be converted to %s: write it as %s",
			header.Kind, header.Namespace, header.Name, header.APIVersion, version, version)
	}
	return nil
}
