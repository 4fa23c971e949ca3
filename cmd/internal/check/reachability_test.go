package check

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/osm-edge/osm/manifests"
)

// TestWhyTheAPIServerDoesNotReachAWebhook has the words of API servers.
func TestWhyTheAPIServerDoesNotReachAWebhook(t *testing.T) {
	const post = `Post "https://osm-injector.osm-system.svc:9090/mutate-pod-creation?timeout=5s": `
	tests := map[string]struct{ service, says, because, fix string }{
		"a firewall":                 {"osm-injector", post + "context deadline exceeded", "a firewall", "port 9090 of the nodes"},
		"a firewall, of another":     {"osm-injector", post + "dial tcp 10.8.0.7:9090: i/o timeout", "a firewall", `kubectl patch deployment -n osm-system osm-injector -p '{"spec":{"template":{"spec":{"hostNetwork":true`},
		"a firewall, the validator":  {"osm-validator", "context deadline exceeded", "a firewall", "kubectl patch deployment -n osm-system osm-controller"},
		"a firewall, the converter":  {"osm-bootstrap", "net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "a firewall", "port 9443 of the nodes"},
		"no way to pods":             {"osm-injector", post + "dial tcp 10.8.0.7:9090: connect: no route to host", "without a way to pods", "hostNetwork"},
		"no replica":                 {"osm-injector", post + "dial tcp 10.96.38.36:9090: connect: connection refused", "no replica is ready", "kubectl get pods -n osm-system -l app=osm-injector"},
		"no endpoint":                {"osm-validator", `no endpoints available for service "osm-validator"`, "no replica is ready", "-l app=osm-controller"},
		"no Service":                 {"osm-injector", `service "osm-injector" not found`, "its Service is not there", "osm upgrade"},
		"an authority":               {"osm-injector", post + "tls: failed to verify certificate: x509: certificate signed by unknown authority", "does not accept the certificate", "kubectl rollout restart deployment/osm-bootstrap -n osm-system"},
		"a certificate's end":        {"osm-injector", post + "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time", "does not accept the certificate", "osm-bootstrap"},
		"another's certificate":      {"osm-injector", post + "x509: certificate is valid for kubernetes, not osm-injector.osm-system.svc", "does not accept the certificate", "osm-bootstrap"},
		"no client certificate":      {"osm-injector", post + "remote error: tls: certificate required", "osm.webhooks.verifyClient", "osm.webhooks.verifyClient=false"},
		"a proxy":                    {"osm-injector", post + "proxyconnect tcp: dial tcp 10.0.0.9:3128: i/o timeout", "a proxy", "NO_PROXY"},
		"a tunnel without an agent":  {"osm-injector", post + "No agent available", "its tunnel", "konnectivity-agent"},
		"what no one has heard yet":  {"osm-injector", post + "something else", "its log may show why", "kubectl logs -n osm-system deployment/osm-injector"},
		"unknown, of the validator":  {"osm-validator", "something else", "its log may show why", "deployment/osm-controller"},
		"a tunnel that finds no one": {"osm-injector", post + `proxy error from egress.sock while dialing 10.96.38.36:9090, code 503: 503 Service Unavailable: "dial tcp 10.8.0.7:9090: connect: connection refused"`, "no replica is ready", "app=osm-injector"},
	}
	for _, h := range hindrances() {
		known := false
		for _, test := range tests {
			known = known || strings.Contains(h.because, test.because)
		}
		if !known {
			t.Errorf("no case is of an API server where %s", h.because)
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found := reachabilityOf(Call{Service: test.service, Asked: "a pod in namespace books", Problem: test.says})
			if len(found.Findings) != 1 {
				t.Fatalf("found %+v", found)
			}
			f := found.Findings[0]
			if f.Severity != Error || f.Object != "Service osm-system/"+test.service || !strings.Contains(f.Problem, test.says+": ") ||
				!strings.Contains(f.Problem, test.because) || !strings.Contains(f.Fix, test.fix) {
				t.Errorf("found %+v, want %q and %q", f, test.because, test.fix)
			}
		})
	}
}

func TestWhatIsReachedOrNotTriedIsNoFault(t *testing.T) {
	c := reachabilityOf(
		Call{Service: "osm-injector", Asked: "a pod in namespace books", Untried: "you may not create a pod in namespace books"},
		Call{Service: "osm-validator", Asked: "a MeshConfig with a mistake"})
	if len(c.Findings) > 0 || c.Summary != "the API server reaches osm-validator; osm-injector was not tried: you may not create a pod in namespace books" {
		t.Errorf("found %+v", c)
	}
	if c := reachabilityOf(); len(c.Findings) > 0 || !strings.Contains(c.Summary, "no server of the mesh") {
		t.Errorf("found %+v", c)
	}
	c = reachabilityOf(Call{Service: "osm-injector", Asked: "a pod in namespace books", Passed: true})
	if len(c.Findings) != 1 || !strings.Contains(c.Findings[0].Problem, "failurePolicy is Ignore") || !strings.HasSuffix(c.Findings[0].Fix, ": osm upgrade") {
		t.Errorf("found %+v", c)
	}
}

func reachabilityOf(calls ...Call) Check {
	c := Check{Name: "reachability"}
	(&Snapshot{Mesh: "osm", Namespace: "osm-system", Calls: calls}).reachability(&c)
	return c
}

func TestTwoMeshesShareTheDefinitions(t *testing.T) {
	for mesh, want := range map[string]string{"osm": "", "osm second": "meshes osm and second share the definitions"} {
		s := &Snapshot{Mesh: "osm", Namespace: "osm-system", Meshes: strings.Fields(mesh)}
		if len(s.Meshes) > 1 {
			s.Others = []Other{{"second", "second-system"}}
		}
		wanted, err := manifests.CRDs("second-system")
		if err != nil {
			t.Fatal(err)
		}
		s.Definitions = map[string]*apiextensionsv1.CustomResourceDefinition{wanted[0].Name: wanted[0], wanted[1].Name: wanted[1]}
		var definitions, conversion Check
		s.definitions(&definitions)
		s.webhooks(&conversion)
		told := of(conversion.Findings, "CustomResourceDefinition")
		if want == "" && (len(definitions.Findings) > 0 || len(told) == 0) {
			t.Errorf("of one mesh: %+v, %+v", definitions.Findings, told)
		}
		if want != "" && (len(definitions.Findings) != 1 || !strings.Contains(definitions.Findings[0].Problem, want) || len(told) > 0) {
			t.Errorf("of two meshes: %+v, %+v", definitions.Findings, told)
		}
	}
}
