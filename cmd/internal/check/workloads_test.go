package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheRemedyIsOfWhatRefused(t *testing.T) {
	tests := map[string]string{
		`pods "web-1" is forbidden: exceeded quota: compute, requested: limits.cpu=700m, used: limits.cpu=0, limited: limits.cpu=500m`:    "kubectl describe resourcequota -n shop compute",
		`pods "web-1" is forbidden: failed quota: compute: must specify limits.cpu for: osm-init,sidecar`:                                 "openservicemesh.io/sidecar-resource-limits-cpu=100m",
		`pods "web-1" is forbidden: failed quota: compute: must specify requests.memory for: web; limits.cpu for: web`:                    "openservicemesh.io/sidecar-resource-requests-memory=128Mi",
		`pods "web-1" is forbidden: failed quota: compute: must specify memory for: web`:                                                  "openservicemesh.io/sidecar-resource-requests-memory=128Mi",
		`pods "web-1" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi`:                                          "openservicemesh.io/sidecar-resource-limits-memory=128Mi",
		`pods "web-1" is forbidden: minimum cpu usage per Pod is 1, but request is 10m`:                                                   "openservicemesh.io/sidecar-resource-requests-cpu=100m",
		`pods "web-1" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000`:                   "openservicemesh.io/sidecar-resource-requests-cpu=100m",
		`pods "web-1" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`:                          "pod-security.kubernetes.io/enforce=privileged",
		`admission webhook "osm-inject.k8s.io" denied the request: pod shop/web-1: container osm-init: rename it`:                         "kubectl edit -n shop replicaset web",
		`admission webhook "osm-inject.k8s.io" denied the request: namespace shop: annotation openservicemesh.io/metrics is "on": set it`: "kubectl annotate namespace shop openservicemesh.io/metrics-",
		`admission webhook "policy.example.com" denied the request: no`:                                                                   "whose webhook policy.example.com is, and what it wants",
		`Internal error occurred: failed calling webhook "osm-inject.k8s.io": failed to call webhook: context deadline exceeded`:          "allow TCP from the control plane to port 9090 of the nodes",
		`Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: EOF`:                               "whose webhook policy.example.com is, and why it does not answer",
		`pods "web-1" is forbidden: error looking up service account shop/web: serviceaccount "web" not found`:                            "kubectl create serviceaccount -n shop web",
		`something else`: "kubectl describe -n shop replicaset web",
		``:               "kubectl describe -n shop replicaset web",
	}
	for _, known := range compiledIn(t, "workloads.go") {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(tests)), known.MatchString) {
			t.Errorf("no case is of what %s matches", known)
		}
	}
	s := &Snapshot{Mesh: "osm", Namespace: "osm-system"}
	for reason, want := range tests {
		if got := s.remedy(Stuck{"ReplicaSet", "shop", "web", reason}); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

// compiledIn returns the patterns that a file of this package compiles.
func compiledIn(t *testing.T, name string) (all []*regexp.Regexp) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.SelectorExpr); ok && name.Sel.Name == "MustCompile" {
				all = append(all, regexp.MustCompile(literal(call.Args[0])))
			}
		}
		return true
	})
	return all
}

func TestTheLogIsThatOfTheSidecarsContainer(t *testing.T) {
	for container, want := range map[string]string{"": "-c sidecar", "sidecar": "-c sidecar", "osm-sidecar": "-c osm-sidecar"} {
		s := &Snapshot{Mesh: "osm", Namespace: "osm-system", Pods: []Pod{{Namespace: "shop", Name: "mysql-0", Container: container, Sidecar: true, NotReady: "it does not run"}}}
		c := &Check{}
		if s.pods(c); len(c.Findings) != 1 || c.Findings[0].Fix != "kubectl logs -n shop mysql-0 "+want {
			t.Errorf("%q: %+v", container, c.Findings)
		}
	}
}
