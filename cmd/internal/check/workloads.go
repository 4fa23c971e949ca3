package check

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// workloads looks for pods that are not there, because the API server refuses
// them. The creators of their workloads are not told.
func (s *Snapshot) workloads(c *Check) {
	c.Summary = "all pods are created"
	if len(s.Stuck) > 0 {
		c.Summary = count(len(s.Stuck), "workload") + " without all of its pods"
	}
	if s.StuckUnknown != "" {
		c.Summary = "not all workloads were looked at"
		c.warn("Mesh "+s.Mesh, "have it run by an account that may get and list replicasets, statefulsets, daemonsets, jobs, replicationcontrollers and events", "whether pods can be created is not known: %s", s.StuckUnknown)
	}
	for _, w := range s.Stuck {
		c.fail(fmt.Sprintf("%s %s/%s", w.Kind, w.Namespace, w.Name), s.remedy(w), "its pods cannot be created: %s", w.Reason)
	}
}

var (
	exceeded    = regexp.MustCompile(`exceeded quota: ([^,]+),`)
	unspecified = regexp.MustCompile(`failed quota: [^:]+: must specify (?:(limits|requests)\.)?(cpu|memory)`)
	tooLarge    = regexp.MustCompile(`maximum (\S+) usage per (?:Container|Pod)`)
	tooSmall    = regexp.MustCompile(`minimum (\S+) usage per (?:Container|Pod)|(\S+) max limit to request ratio`)
	calling     = regexp.MustCompile(`failed calling webhook "([^"]+)"`)
	denied      = regexp.MustCompile(`admission webhook "([^"]+)" denied the request`)
	ofNamespace = regexp.MustCompile(`denied the request: namespace ([a-z0-9-]+): annotation ([^ ]+) `)
	noAccount   = regexp.MustCompile(`error looking up service account [^:]*: serviceaccount "([^"]+)" not found`)
)

// injectorWebhook is the name of the mesh's own.
const injectorWebhook = "osm-inject.k8s.io"

// remedy is what to do about a reason of the API server's, by what refused.
func (s *Snapshot) remedy(w Stuck) string {
	find := func(in *regexp.Regexp) []string { return in.FindStringSubmatch(w.Reason) }
	if m := find(exceeded); m != nil {
		return fmt.Sprintf("raise the quota, or lower what pods ask for (docs/injection.md#resources): kubectl describe resourcequota -n %s %s", w.Namespace, m[1])
	}
	if m := find(unspecified); m != nil {
		return fmt.Sprintf("set what is missing for each container that is named, for osm-init and the sidecar (docs/injection.md#resources) by %s", annotate(w.Namespace, cmp.Or(m[1], "requests"), m[2]))
	}
	if strings.Contains(w.Reason, "violates PodSecurity") {
		return fmt.Sprintf("install the mesh with osm.injector.interception=none, or, if it is about a container of the mesh: kubectl label --overwrite namespace %s pod-security.kubernetes.io/enforce=privileged", w.Namespace)
	}
	if m := find(tooLarge); m != nil {
		return ranged(w.Namespace, "limits", m[1])
	}
	if m := find(tooSmall); m != nil {
		return ranged(w.Namespace, "requests", m[1]+m[2])
	}
	if m := find(calling); m != nil {
		return s.uncalled(m[1], w.Reason)
	}
	if m := find(denied); m != nil && m[1] == injectorWebhook {
		return w.change(find(ofNamespace))
	} else if m != nil {
		return fmt.Sprintf("find out whose webhook %s is, and what it wants: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations", m[1])
	}
	if m := find(noAccount); m != nil {
		return fmt.Sprintf("kubectl create serviceaccount -n %s %s", w.Namespace, m[1])
	}
	return fmt.Sprintf("kubectl describe -n %s %s %s", w.Namespace, strings.ToLower(w.Kind), w.Name)
}

// change is how what the mesh refuses is changed: an annotation of the namespace,
// or the template of the pods.
func (w Stuck) change(annotation []string) string {
	const see = "change what the message names (docs/reference/refusals.md#a-pod-that-is-refused)"
	switch {
	case annotation != nil:
		return fmt.Sprintf("%s, or remove it: kubectl annotate namespace %s %s-", see, annotation[1], annotation[2])
	case w.Kind == "Job": // whose template never changes
		return fmt.Sprintf("%s where the Job comes from, such as a CronJob, and have it made anew: kubectl delete job -n %s %s", see, w.Namespace, w.Name)
	}
	return fmt.Sprintf("%s: kubectl edit -n %s %s %s", see, w.Namespace, strings.ToLower(w.Kind), w.Name)
}

func ranged(namespace, kind, resource string) string {
	return fmt.Sprintf("compare what each container asks for with kubectl describe limitrange -n %s, and set what osm-init and the sidecar ask for by %s", namespace, annotate(namespace, kind, resource))
}

// annotate sets limits or requests of all sidecars of a namespace. The amount is
// one that a sidecar can work with.
func annotate(namespace, kind, resource string) string {
	amount := "128Mi"
	if resource == "cpu" {
		amount = "100m"
	}
	return fmt.Sprintf("kubectl annotate --overwrite namespace %s openservicemesh.io/sidecar-resource-%s-%s=%s", namespace, kind, resource, amount)
}

// uncalled is what to do about a webhook that the API server cannot call.
func (s *Snapshot) uncalled(webhook, reason string) string {
	if webhook != injectorWebhook {
		return fmt.Sprintf("find out whose webhook %s is, and why it does not answer: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations", webhook)
	}
	_, fix := s.unreachable(Call{Service: injection.service, Problem: reason})
	return fix
}
