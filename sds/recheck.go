package sds

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// recheckInterval is how often the pods of open streams are looked at again: of
// what ends a pod's right, its time that passes has no event.
const recheckInterval = 10 * time.Second

// recheck ends the streams whose pods are not what they were, until ctx ends.
func (s *Server) recheck(ctx context.Context) {
	ticker := time.NewTicker(recheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.recheckOnce(ctx)
			s.door.forget()
			s.warnings.flush(ctx)
		}
	}
}

// recheckOnce asks once for each pod. Where that cannot be told, its streams stay.
func (s *Server) recheckOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, recheckInterval)
	defer cancel()
	refusals := map[types.UID]*Refusal{}
	for _, o := range s.streams.list() {
		refusal, asked := refusals[o.proxy.PodUID]
		if !asked {
			if err := s.options.Attestor.Current(ctx, o.proxy); err != nil {
				refusal = asRefusal(err)
			}
			refusals[o.proxy.PodUID] = refusal
		}
		if refusal != nil && refusal.Reason != ReasonUnavailable {
			o.end(refusal)
		}
	}
}
