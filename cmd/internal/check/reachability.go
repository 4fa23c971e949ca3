package check

import (
	"fmt"
	"slices"
	"strings"
)

// Call is what came of having the API server call a server of the mesh, which it
// does for something that was asked of it and not done.
type Call struct {
	// Service is the server's, and Asked what was asked for, as in "a pod in
	// namespace books".
	Service, Asked string
	// Problem is what the API server says of a call that failed.
	Problem string
	// Passed is set if the API server went on without the server.
	Passed bool
	// Untried is why it is not known whether the API server reaches the server.
	Untried string
}

// reachability is told by the API server alone: from where osm runs, the way to
// a server is another.
func (s *Snapshot) reachability(c *Check) {
	var reached, untried []string
	for _, call := range s.Calls {
		object := s.object("Service", call.Service)
		switch {
		case call.Untried != "":
			untried = append(untried, fmt.Sprintf("%s was not tried: %s", call.Service, call.Untried))
		case call.Passed:
			c.fail(object, "write the webhook's configuration again, after which osm check shows why it is not reached: "+s.upgrade(),
				"the API server continued without it, for %s: it does not reach it and its webhook's failurePolicy is Ignore, or its webhook is not for that", call.Asked)
		case call.Problem != "":
			because, fix := s.unreachable(call)
			c.fail(object, fix, "the API server could not call it for %s: %s: %s", call.Asked, call.Problem, because)
		default:
			reached = append(reached, call.Service)
		}
	}
	c.Summary = "the API server reaches " + strings.Join(reached, ", ")
	if len(reached) == 0 {
		c.Summary = "the API server was seen to reach no server of the mesh"
	}
	for _, one := range untried {
		c.Summary += "; " + one
	}
}

// hindrance is a reason why a call fails, known by what the API server says.
type hindrance struct {
	words   []string
	because string
	fix     func(s *Snapshot, to target, says string) string
}

// target is a server that is called.
type target struct {
	service, deployment string
	port                int32
}

// hindrances are in the order in which their words are looked for.
func hindrances() []hindrance {
	return []hindrance{
		{[]string{"x509:"}, "it does not accept the certificate that it is served with",
			func(s *Snapshot, to target, says string) string { return s.unverified(to.service, rejectionIn(says)) }},
		{[]string{"certificate required", "bad certificate", "unknown certificate"}, "osm.webhooks.verifyClient wants a certificate of the API server, which presents none that counts",
			func(s *Snapshot, _ target, _ string) string {
				return "have the API server present one (kube-apiserver --admission-control-config-file), or do without: " + s.set("osm.webhooks.verifyClient=false")
			}},
		{[]string{"proxyconnect", "Proxy Authentication", "Bad Gateway", "Gateway Timeout", "first record does not look like a TLS handshake"}, "a proxy is in between",
			func(*Snapshot, target, string) string {
				return "add .svc and the ranges of Services and pods to NO_PROXY of the API server"
			}},
		{[]string{"No agent available", "konnectivity", "tunnel"}, "its tunnel to the nodes does not work",
			func(*Snapshot, target, string) string {
				return "see that the agents of the tunnel run: kubectl get pods -n kube-system -l k8s-app=konnectivity-agent"
			}},
		{[]string{"connection refused", "no endpoints available", "EOF", "connection reset"}, "nothing serves there: no replica is ready",
			func(s *Snapshot, to target, _ string) string {
				if first := s.lacking(to.deployment); first != "" {
					return first
				}
				return fmt.Sprintf("kubectl get pods -n %s -l app=%s", s.Namespace, to.deployment)
			}},
		{[]string{"not found", "no such host"}, "its Service is not there",
			func(s *Snapshot, _ target, _ string) string { return s.upgrade() }},
		{[]string{"deadline exceeded", "i/o timeout", "handshake timeout", "Client.Timeout", "no route to host", "network is unreachable", "timed out"},
			"a firewall or a network policy between the API server and the nodes, or an API server without a way to pods",
			func(s *Snapshot, to target, _ string) string {
				return fmt.Sprintf("allow TCP from the control plane to port %d of the nodes (and in osm.networkPolicies.apiServerRanges, if set); where no API server reaches pods, as that of EKS with another CNI than its own, have the pods use their nodes' network: kubectl patch deployment -n %s %s -p '%s'",
					to.port, s.Namespace, to.deployment, `{"spec":{"template":{"spec":{"hostNetwork":true,"dnsPolicy":"ClusterFirstWithHostNet"}}}}`)
			}},
	}
}

// unreachable returns why a call failed, as far as the API server's words tell.
func (s *Snapshot) unreachable(call Call) (because, fix string) {
	to := target{injection.service, "osm-injector", injection.port}
	switch call.Service {
	case validation.service:
		to = target{validation.service, "osm-controller", validation.port}
	case conversion.service:
		to = target{conversion.service, "osm-bootstrap", conversion.port}
	}
	for _, h := range hindrances() {
		if slices.ContainsFunc(h.words, func(words string) bool { return strings.Contains(call.Problem, words) }) {
			return h.because, h.fix(s, to, call.Problem)
		}
	}
	return "its log may show why", s.logs(to.deployment)
}
