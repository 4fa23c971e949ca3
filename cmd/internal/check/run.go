package check

import (
	"cmp"
	"slices"
)

// all are the checks, in the order in which a mesh is built up.
var all = [...]struct {
	name string
	look func(*Snapshot, *Check)
}{
	{"control-plane", (*Snapshot).controlPlane},
	{"permissions", (*Snapshot).permissions},
	{"definitions", (*Snapshot).definitions},
	{"configuration", (*Snapshot).configuration},
	{"root", (*Snapshot).roots},
	{"trust", (*Snapshot).trust},
	{"rotation", (*Snapshot).rotation},
	{"webhooks", (*Snapshot).webhooks},
	{"reachability", (*Snapshot).reachability},
	{"clocks", (*Snapshot).clocks},
	{"namespaces", (*Snapshot).namespaces},
	{"workloads", (*Snapshot).workloads},
	{"pods", (*Snapshot).pods},
	{"registries", (*Snapshot).registries},
	{"ports", (*Snapshot).ports},
}

// Run looks at everything. The same snapshot gives the same report.
func Run(s *Snapshot) Report {
	report := Report{Mesh: s.Mesh, Namespace: s.Namespace, Time: s.Now.UTC()}
	for _, one := range all {
		c := Check{Name: one.name, Findings: []Finding{}}
		one.look(s, &c)
		slices.SortStableFunc(c.Findings, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Object, b.Object))
		})
		for _, f := range c.Findings {
			if f.Severity == Error {
				report.Errors++
			} else {
				report.Warnings++
			}
		}
		report.Checks = append(report.Checks, c)
	}
	return report
}
