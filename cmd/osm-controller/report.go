package main

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/sds"
)

// maxFailure is the longest text of an issuer's failure that is published, in bytes.
const maxFailure = 1024

// report tells what this replica sees of the mesh.
func (c *controller) report(o *options) status.Report {
	state, _ := c.rotation.State()
	all := connected(c.sds.Streams())
	held := c.manager.Holdings()
	r := status.Report{
		Time:             time.Now().UTC().Truncate(time.Second),
		Mesh:             o.MeshName,
		Namespace:        o.Namespace,
		TrustDomain:      o.trustDomain,
		Version:          component.Version(),
		Replica:          o.replica,
		Leads:            c.rotation.Leads(),
		Issuer:           issuing(c.manager.Health()),
		Rotation:         c.rotating(state, o.ackTimeout),
		Roots:            rootsOf(state),
		Certificates:     certificatesOf(held[:min(len(held), status.Most)], state, all),
		CertificateTotal: len(held),
		Proxies:          all[:min(len(all), status.Most)],
		ProxyTotal:       len(all),
		Refusals:         refusalsOf(c.sds.Refusals()),
	}
	if err := c.ready(); err != nil {
		r.NotReady = bounded(err.Error(), maxFailure)
	}
	return r
}

func issuing(h issuer.Health) status.Issuer {
	published := status.Issuer{Root: h.Root, Works: h.Root != "" && !h.Open, Since: h.Since, NextAttempt: h.NextAttempt}
	if h.Err != nil {
		published.Failure = bounded(h.Err.Error(), maxFailure)
	}
	return published
}

// rotating tells how far the replacement of a root is. Only who leads knows what
// it waits for.
func (c *controller) rotating(state rotation.State, ackTimeout time.Duration) status.Rotation {
	step, since := state.Step()
	published := status.Rotation{Step: string(step), Since: since, Deadline: state.Deadline(ackTimeout)}
	if p, known := c.rotation.Progress(); known && step != rotation.Idle {
		published.Progress = &status.Progress{
			Pods:         p.Pods,
			MissingTotal: len(p.Missing),
			Missing:      slices.Clone(p.Missing[:min(len(p.Missing), maxMissing)]),
			Certificates: p.Total,
			Replaced:     p.Current,
			HeldBack:     p.HeldBack,
		}
	}
	return published
}

func refusalsOf(given []sds.Refused) []status.Refusal {
	published := make([]status.Refusal, len(given))
	for i, r := range given {
		published[i] = status.Refusal{Time: r.Time.UTC().Truncate(time.Second), Reason: string(r.Reason), Address: r.Address, Message: r.Message}
	}
	return published
}

// connected joins the streams of each pod, which may be many, in the order of
// the pods' names.
func connected(streams []sds.Stream) []status.Proxy {
	pods := map[types.UID]*status.Proxy{}
	for _, s := range streams {
		p := pods[s.Proxy.PodUID]
		if p == nil {
			p = &status.Proxy{
				Namespace:      s.Proxy.Namespace,
				Pod:            s.Proxy.PodName,
				ServiceAccount: s.Proxy.Identity.ServiceAccount(),
				UUID:           s.Proxy.UUID,
				Since:          s.Since.UTC().Truncate(time.Second),
			}
			pods[s.Proxy.PodUID] = p
		}
		p.Streams++
		if s.Since.Before(p.Since) {
			p.Since = s.Since.UTC().Truncate(time.Second)
		}
		if s.Acked.After(p.Acked) {
			p.Acked = s.Acked.UTC()
		}
	}
	all := make([]status.Proxy, 0, len(pods))
	for _, p := range pods {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b status.Proxy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.UUID, b.UUID))
	})
	return all
}
