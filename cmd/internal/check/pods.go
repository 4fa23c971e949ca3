package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/osm-edge/osm/manifests/mesh"
)

func (s *Snapshot) pods(c *Check) {
	bare, broken, with := map[string][]Pod{}, map[string][]Pod{}, 0
	for _, pod := range s.Pods {
		switch {
		case pod.Sidecar && pod.NotReady != "":
			broken[pod.Namespace] = append(broken[pod.Namespace], pod)
		case !pod.Sidecar && !pod.Exempt:
			bare[pod.Namespace] = append(bare[pod.Namespace], pod)
		}
		if pod.Sidecar {
			with++
		}
	}
	c.Summary = fmt.Sprintf("%s with a sidecar", count(with, "pod"))
	for namespace, pods := range bare {
		c.warn("Namespace "+namespace, replace(namespace, pods),
			"%s without a sidecar, for they were there before the namespace joined the mesh, or no webhook was called: %s", count(len(pods), "pod"), names(podNames(pods)))
	}
	for namespace, pods := range broken {
		c.fail("Namespace "+namespace, logsOf(pods[0]),
			"%s whose sidecar is not ready: %s: %s", count(len(pods), "pod"), names(podNames(pods)), pods[0].NotReady)
	}
}

// logsOf is the command that shows what a pod's sidecar wrote.
func logsOf(pod Pod) string {
	return fmt.Sprintf("kubectl logs -n %s %s -c %s", pod.Namespace, pod.Name, cmp.Or(pod.Container, mesh.SidecarNames()[0]))
}

func podNames(pods []Pod) (all []string) {
	for _, pod := range pods {
		all = append(all, pod.Name)
	}
	slices.Sort(all)
	return all
}

// replace is the command that has new pods made. A pod of no one is not made
// again when it is deleted.
func replace(namespace string, pods []Pod) string {
	var workloads, alone []string
	for _, pod := range pods {
		if pod.Workload != "" {
			workloads = append(workloads, pod.Workload)
		} else {
			alone = append(alone, pod.Name)
		}
	}
	slices.Sort(workloads)
	workloads = slices.Compact(workloads)
	slices.Sort(alone)
	remove := fmt.Sprintf("kubectl delete pod -n %s %s", namespace, strings.Join(alone[:min(len(alone), most)], " "))
	restart := fmt.Sprintf("kubectl rollout restart -n %s %s", namespace, strings.Join(workloads, " "))
	switch {
	case len(workloads) == 0:
		return "delete them, and create again those that nothing creates: " + remove
	case len(alone) == 0:
		return restart
	}
	return fmt.Sprintf("replace them, and create again those that nothing creates: %s && %s", restart, remove)
}
