package check

import (
	"strings"
	"testing"
)

func TestHTTPThatIsNotDeclaredIsWarnedOfOnceAWorkload(t *testing.T) {
	books := func(name string, ports ...Port) Pod {
		return Pod{Namespace: "shop", Name: name, Workload: "deployment/books", Sidecar: true, Ports: ports}
	}
	tests := map[string]struct {
		pods    []Pod
		summary string
		want    []Finding
	}{
		"nothing is known": {[]Pod{books("a")}, "0 ports declared HTTP", nil},
		"all is declared": {[]Pod{books("a", Port{Number: 80, Declared: true, HTTP: []string{"it was seen"}})},
			"1 port declared HTTP", nil},
		"something else is declared": {[]Pod{books("a", Port{Number: 80, Declared: true})}, "1 port declared HTTP", nil},
		"one is not, of two pods": {
			[]Pod{books("a", Port{Number: 80, HTTP: []string{"y", "x"}}), books("b", Port{Number: 80, HTTP: []string{"x"}})},
			"0 ports declared HTTP",
			[]Finding{{Warning, "Deployment shop/books", "port 80 is HTTP, but nothing declares it to its sidecar: x, y.", `http-port-list: "80"`}},
		},
		"of no one's pod": {
			[]Pod{{Namespace: "shop", Name: "alone", Sidecar: true, Ports: []Port{{Number: 8080, HTTP: []string{"x"}}}}},
			"0 ports declared HTTP",
			[]Finding{{Warning, "Pod shop/alone", "port 8080 is HTTP", "appProtocol: http"}},
		},
		"the sidecar is older than the declaration": {
			[]Pod{books("a", Port{Number: 80, Named: true, HTTP: []string{"x"}})},
			"0 ports declared HTTP",
			[]Finding{{Warning, "Deployment shop/books", "port 80 is HTTP", "kubectl rollout restart -n shop deployment/books"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := Snapshot{Pods: test.pods}, Check{}
			s.ports(&c)
			if c.Summary != test.summary || len(c.Findings) != len(test.want) {
				t.Fatalf("%q, found %+v", c.Summary, c.Findings)
			}
			for i, want := range test.want {
				got := c.Findings[i]
				if got.Severity != want.Severity || got.Object != want.Object || !strings.HasPrefix(got.Problem, want.Problem) || !strings.Contains(got.Fix, want.Fix) {
					t.Errorf("found %+v, want %+v", got, want)
				}
			}
		})
	}
}
