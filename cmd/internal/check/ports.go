package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// undeclared is an HTTP port of a workload that is not declared.
type undeclared struct {
	object, restart string
	number          uint16
}

// ports looks for HTTP that is not declared. Where it is, the sidecar refuses
// what is not HTTP to the letter; elsewhere it has to recognise requests in what
// may be anything.
func (s *Snapshot) ports(c *Check) {
	declared, clauses, named := map[undeclared]bool{}, map[undeclared][]string{}, map[undeclared]bool{}
	for _, pod := range s.Pods {
		for _, port := range pod.Ports {
			one := pod.undeclared(port.Number)
			if port.Declared {
				declared[one] = true
			} else if len(port.HTTP) > 0 {
				clauses[one] = append(clauses[one], port.HTTP...)
				named[one] = named[one] || port.Named
			}
		}
	}
	c.Summary = count(len(declared), "port") + " declared HTTP"
	for _, one := range slices.SortedFunc(maps.Keys(clauses), undeclared.compare) {
		known := clauses[one]
		slices.Sort(known)
		fix := one.declare()
		if named[one] {
			fix = one.restart
		}
		c.warn(one.object, fix, "port %d is HTTP, but nothing declares it to its sidecar: %s. Do not rely on x-forwarded-client-cert on this port",
			one.number, names(slices.Compact(known)))
	}
}

func (p *Pod) undeclared(number uint16) undeclared {
	kind, name, ok := strings.Cut(p.Workload, "/")
	titles := map[string]string{"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
	if title := titles[kind]; ok && title != "" {
		return undeclared{fmt.Sprintf("%s %s/%s", title, p.Namespace, name), replace(p.Namespace, []Pod{*p}), number}
	}
	return undeclared{fmt.Sprintf("Pod %s/%s", p.Namespace, p.Name), replace(p.Namespace, []Pod{*p}), number}
}

func (u undeclared) compare(other undeclared) int {
	return cmp.Or(cmp.Compare(u.object, other.object), cmp.Compare(u.number, other.number), cmp.Compare(u.restart, other.restart))
}

// declare says how. The protocol of a Service's port that is something else
// means that the port is not HTTP after all.
func (u undeclared) declare() string {
	return fmt.Sprintf("set appProtocol: http on the Service's port, name the container's port http, or annotate the pod template openservicemesh.io/http-port-list: \"%d\"; "+
		"if it is not HTTP, set the appProtocol that it is (docs/traffic.md#ports-that-are-declared-http)", u.number)
}
