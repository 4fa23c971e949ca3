package sds

import (
	"context"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxRequestDelay is how far behind a pod may be with its requests.
const maxRequestDelay = 5 * time.Second

// request waits until the pod may ask again. It refuses a pod that asks so fast
// that its requests would pile up.
func (o *openStream) request(ctx context.Context, names int) error {
	reservation := o.pod.requests.ReserveN(time.Now(), 1+names/namesPerRequest)
	delay := reservation.Delay()
	if delay == 0 {
		return nil
	}
	if delay > maxRequestDelay {
		reservation.Cancel()
		return refuse(ReasonRequests, "the pod sends requests faster than %d a second", requestsPerSecond)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// namesIn counts the names of a request.
func namesIn(request any) int {
	switch r := request.(type) {
	case *discoveryv3.DiscoveryRequest:
		return len(r.GetResourceNames())
	case *discoveryv3.DeltaDiscoveryRequest:
		return len(r.GetResourceNamesSubscribe()) + len(r.GetResourceNamesUnsubscribe()) + len(r.GetInitialResourceVersions())
	}
	return 0
}

// readable returns why a request was not read as a refusal, if the request is to
// blame.
func readable(err error) error {
	switch status.Code(err) {
	case codes.Internal, codes.ResourceExhausted, codes.Unimplemented:
		return refuse(ReasonProtocol, "the request cannot be read: %s", bounded(status.Convert(err).Message()))
	}
	return err
}
