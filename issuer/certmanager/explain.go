package certmanager

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// explain makes an Error of what the API server answered, where that says what
// to fix.
func (i *Issuer) explain(err error) error {
	switch {
	case unknownResource(err):
		return &Error{
			Reason:  NotInstalled,
			Problem: "cert-manager is not installed: the API server does not know its resources",
			Fix:     "install cert-manager, with its definitions: kubectl get crd certificaterequests." + certManagerGroup,
			cause:   err,
		}
	case apierrors.IsForbidden(err):
		return &Error{
			Reason:  Forbidden,
			Problem: "the API server forbids it",
			Fix:     fmt.Sprintf("allow create, list, watch and delete of certificaterequests.%s in namespace %s", certManagerGroup, i.options.Namespace),
			cause:   err,
		}
	case apierrors.IsInvalid(err):
		return &Error{
			Reason:  InvalidRequest,
			Problem: "the API server finds the request invalid",
			Fix:     "use a cert-manager that serves " + certManagerGroup + "/v1, and correct what it reports",
			cause:   err,
		}
	}
	return err
}

// refused holds when the API server answered that it did not do what it was
// asked. Without an answer it may have.
func refused(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code/100 == 4
}

// unknownResource holds when a resource is not served at all, by any name: the
// answer then is not that of an API but of a web server.
func unknownResource(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
