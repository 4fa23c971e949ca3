package certmanager

import (
	"context"
	"errors"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// removeTimeout bounds how long a caller that gave up still waits for the
// request to be deleted.
const removeTimeout = 5 * time.Second

// errUnanswered ends the wait for a request that took too long.
var errUnanswered = errors.New("unanswered for too long")

// sign creates the request, waits until it has ended, and deletes it whatever
// has come of it. It returns the chain, in PEM.
func (i *Issuer) sign(ctx context.Context, request *cmapi.CertificateRequest) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, i.options.Timeout, errUnanswered)
	defer cancel()
	if err := i.watcher.synced(ctx); err != nil {
		return nil, i.explain(fmt.Errorf("watch certificate requests: %w", err))
	}
	states := i.watcher.expect(request.Name)
	defer i.watcher.forget(request.Name)
	created, err := i.requests.Create(ctx, request, metav1.CreateOptions{})
	if !refused(err) {
		defer i.remove(ctx, request.Name)
	}
	if err != nil {
		return nil, i.explain(fmt.Errorf("create a certificate request: %w", err))
	}
	return i.await(ctx, created, states)
}

// await waits for the end of the request, from the state that it is in.
func (i *Issuer) await(ctx context.Context, request *cmapi.CertificateRequest, states <-chan *cmapi.CertificateRequest) ([]byte, error) {
	for {
		if ended, err := outcome(request); ended {
			return request.Status.Certificate, err
		}
		var latest *cmapi.CertificateRequest
		select {
		case latest = <-states:
		case <-ctx.Done():
			return nil, i.gaveUp(ctx, request)
		}
		if latest == nil {
			return nil, &Error{
				Reason:  Removed,
				Problem: fmt.Sprintf("something deleted certificate request %s/%s", i.options.Namespace, request.Name),
				Fix:     "have what cleans up there leave the mesh's requests alone: it deletes them itself",
			}
		}
		request = latest
	}
}

// gaveUp says what the request still waited for. A caller that has canceled it
// knows why.
func (i *Issuer) gaveUp(ctx context.Context, request *cmapi.CertificateRequest) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("wait for certificate request %s/%s: %w", i.options.Namespace, request.Name, ctx.Err())
	}
	failure := unanswered(request)
	failure.cause = ctx.Err()
	if context.Cause(ctx) == errUnanswered {
		failure.Problem += fmt.Sprintf(" within %s", i.options.Timeout)
		failure.cause = i.watcher.trouble()
	}
	return failure
}

// remove deletes the request even if ctx has ended. What it cannot delete is
// left to sweep.
func (i *Issuer) remove(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	err := i.requests.Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		i.options.Logger.Warn("cannot delete a certificate request; will try again later", "name", name, "error", err)
	}
}
