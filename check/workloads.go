package check

import (
	"fmt"
	"regexp"
	"strings"
)

// workloads looks for pods that are not there, because the API server refuses
// them. Who created their workload was not told.
func (s *Snapshot) workloads(c *Check) {
	c.Summary = "all pods are created"
	if len(s.Stuck) > 0 {
		c.Summary = count(len(s.Stuck), "workload") + " without all of its pods"
	}
	for _, w := range s.Stuck {
		c.fail(fmt.Sprintf("%s %s/%s", w.Kind, w.Namespace, w.Name), s.remedy(w), "its pods cannot be created: %s", w.Reason)
	}
}

var (
	exceeded    = regexp.MustCompile(`exceeded quota: ([^,]+),`)
	unspecified = regexp.MustCompile(`failed quota: ([^:]+): must specify (.*)`)
	ranged      = regexp.MustCompile(`(maximum|minimum) \S+ usage per (Container|Pod)|max limit to request ratio`)
	calling     = regexp.MustCompile(`failed calling webhook "([^"]+)"`)
	denied      = regexp.MustCompile(`admission webhook "([^"]+)" denied the request`)
	noAccount   = regexp.MustCompile(`error looking up service account [^:]*: serviceaccount "([^"]+)" not found`)
)

// injectorWebhook is the name of the mesh's own.
const injectorWebhook = "osm-inject.k8s.io"

// remedy is what to do about a reason of the API server's, by what refused.
func (s *Snapshot) remedy(w Stuck) string {
	find := func(in *regexp.Regexp) []string { return in.FindStringSubmatch(w.Reason) }
	if m := find(exceeded); m != nil {
		return fmt.Sprintf("raise the quota, or lower what pods ask for (docs/guide.md#resources): kubectl describe resourcequota -n %s %s", w.Namespace, m[1])
	}
	if find(unspecified) != nil {
		return fmt.Sprintf("set what is missing for the containers that are named, for those of the mesh (docs/guide.md#resources) by %s", s.annotate(w.Namespace, "cpu=500m"))
	}
	if strings.Contains(w.Reason, "violates PodSecurity") {
		return fmt.Sprintf("install the mesh with osm.injector.interception=none, or, if it is about a container of the mesh: kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged", w.Namespace)
	}
	if find(ranged) != nil {
		return fmt.Sprintf("compare what the containers ask for with kubectl describe limitrange -n %s, and set the sidecar's by %s", w.Namespace, s.annotate(w.Namespace, "cpu=100m"))
	}
	if m := find(calling); m != nil {
		return s.unreachable(m[1])
	}
	if m := find(denied); m != nil && m[1] == injectorWebhook {
		return fmt.Sprintf("change what the message names (docs/operations.md#a-pod-that-is-refused): kubectl edit -n %s %s %s", w.Namespace, strings.ToLower(w.Kind), w.Name)
	} else if m != nil {
		return fmt.Sprintf("find out whose webhook %s is, and what it wants: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations", m[1])
	}
	if m := find(noAccount); m != nil {
		return fmt.Sprintf("kubectl create serviceaccount -n %s %s", w.Namespace, m[1])
	}
	return fmt.Sprintf("kubectl describe -n %s %s %s", w.Namespace, strings.ToLower(w.Kind), w.Name)
}

// annotate sets a limit of all sidecars of a namespace.
func (s *Snapshot) annotate(namespace, limit string) string {
	return fmt.Sprintf("kubectl annotate namespace %s openservicemesh.io/sidecar-resource-limits-%s", namespace, limit)
}

// unreachable is about a webhook that the API server cannot call.
func (s *Snapshot) unreachable(webhook string) string {
	if webhook != injectorWebhook {
		return fmt.Sprintf("find out whose webhook %s is, and why it does not answer: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations", webhook)
	}
	return fmt.Sprintf("see that osm-injector runs, and that the API server reaches port %d of its pods: kubectl get pods -n %s -l app=osm-injector", injection.port, s.Namespace)
}
