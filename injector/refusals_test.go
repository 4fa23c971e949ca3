package injector_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// refusedPod is a pod that is refused, and what is to be done according to the
// refusal.
type refusedPod struct {
	// text is how the code says it.
	text         string
	wrong, right func(*corev1.Pod)
	advice       string
}

func annotated(key, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations["openservicemesh.io/"+key] = value }
}

func container(change func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { change(&pod.Spec.Containers[0]) }
}

func refusedPods() []refusedPod {
	user := func(id int64) func(*corev1.Pod) {
		return container(func(c *corev1.Container) { c.SecurityContext = &corev1.SecurityContext{RunAsUser: &id} })
	}
	port := func(number int32) func(*corev1.Pod) {
		return container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: number}} })
	}
	probe := func(h corev1.ProbeHandler) func(*corev1.Pod) {
		return container(func(c *corev1.Container) { c.ReadinessProbe = &corev1.Probe{ProbeHandler: h} })
	}
	get := func(path string, port int) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt(port)}}
	}
	named := func(name string) func(*corev1.Pod) { return container(func(c *corev1.Container) { c.Name = name }) }
	mount := func(name string) func(*corev1.Pod) {
		return container(func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{Name: name, MountPath: "/there"}} })
	}
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat("80,", n), ",") }
	return []refusedPod{
		{"annotation %s is %.64q: set it to enabled, yes or true for a sidecar", annotated("sidecar-injection", "on"), annotated("sidecar-injection", "enabled"), "set it to enabled"},
		{"the mesh adds one of this name: rename it", named("osm-init"), named("mine"), "rename it"},
		{"volumeMounts: %s is the sidecar's alone: mount", mount("osm-identity"), mount("mine"), "mount a volume of another name"},
		{"securityContext.runAsUser: %s", user(1500), user(1501), "choose another"},
		{"containerPort %d: the sidecar listens on it", port(15003), port(8080), "have the application listen on another"},
		{"service account %q: its certificate would be named", func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = strings.Repeat("a", 240) }, func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = "a" }, "shorten it"},
		{"annotation %s: the sidecar listens on port %d", annotated("http-port-list", "15003"), annotated("http-port-list", "8080"), "take the port out of the list"},
		{"a list of %d bytes", annotated("outbound-port-exclusion-list", strings.Repeat(" ", 20000)+"80"), annotated("outbound-port-exclusion-list", "80"), "shorten it"},
		{"a list of %d entries", annotated("outbound-port-exclusion-list", many(257)), annotated("outbound-port-exclusion-list", many(256)), "shorten it"},
		{"%.64q is not a port", annotated("outbound-port-exclusion-list", "0"), annotated("outbound-port-exclusion-list", "80,443"), "such as 80,443"},
		{"%.64q is %w", annotated("outbound-ip-range-exclusion-list", "10.0.0.1"), annotated("outbound-ip-range-exclusion-list", "10.0.0.1/32"), "write 10.0.0.1/32"},
		{"%.64q is %w", annotated("outbound-ip-range-exclusion-list", "-"), annotated("outbound-ip-range-exclusion-list", "10.0.0.0/8,fd00::/8"), "10.0.0.0/8 or fd00::/8"},
		{"%.64q is %w", annotated("outbound-ip-range-exclusion-list", "::ffff:10.0.0.0/8"), annotated("outbound-ip-range-exclusion-list", "10.0.0.0/8"), "write an IPv4 range"},
		{"%s: want an amount of %s", annotated("sidecar-resource-limits-cpu", "-1"), annotated("sidecar-resource-limits-cpu", "100m"), "such as 100m or 0.5"},
		{"the sidecar's request of %s %s", func(pod *corev1.Pod) {
			annotated("sidecar-resource-requests-cpu", "2")(pod)
			annotated("sidecar-resource-limits-cpu", "1")(pod)
		}, annotated("sidecar-resource-requests-cpu", "1"), "lower the one with the annotation openservicemesh.io/sidecar-resource-requests-cpu"},
		{": port %d is the sidecar's", probe(get("/", 15003)), probe(get("/", 8080)), "ask the application's own"},
		{".httpGet.path: %w", probe(get("//user@host/", 8080)), probe(get("/", 8080)), "give it as the header Authorization in httpHeaders"},
		{"names a user: give it", probe(get("//user@host/", 8080)), probe(get("/", 8080)), "give it as the header Authorization in httpHeaders"},
		{"it declares %d ports HTTP", func(pod *corev1.Pod) {
			for i := range 1100 {
				pod.Spec.Containers[i%2].Ports = append(pod.Spec.Containers[i%2].Ports, corev1.ContainerPort{Name: "http-" + strconv.Itoa(i), ContainerPort: int32(20000 + i)})
			}
		}, func(pod *corev1.Pod) { pod.Spec.Containers[0].Ports, pod.Spec.Containers[1].Ports = nil, nil }, "give the others names that do not begin with http or grpc"},
	}
}

// otherRefusals are shown elsewhere, with the test that does.
var otherRefusals = map[string]string{
	"annotation %s is %.64q: set it to enabled, yes or true to have its pods scraped, to disabled, no or false otherwise, or remove it":                                  "of namespaces: override_test.go",
	"it has a sidecar that is not its own, or that of another version of the mesh: %w: create the pod from the manifest that its owner has, without what injection adds": "marks_test.go",
	".httpGet.protocol: the sidecar asks by HTTP1, not by %q: leave it out, or %s":                                                                                       "probe_test.go, for API servers to come",
	".grpc.mode: the sidecar asks by Plaintext, not by %q: leave it out, or %s":                                                                                          "the same",
	"it is that of proxy ": "a part of another",
	"sidecar resources: the request of %s %s is above the limit of %s": "of what the chart is given",
	"sidecar resources: %s of %q: want %v":                             "of what the chart is given",
	"interception %q: want %s or %s":                                   "of what the chart is given",
}

func TestWhatARefusedPodIsToldHelps(t *testing.T) {
	ask, walked := asked(t, newHandler(t)), map[string]bool{}
	texts := refusalTexts(t)
	for _, r := range refusedPods() {
		t.Run(r.text, func(t *testing.T) {
			for _, text := range texts {
				if strings.HasPrefix(text, r.text) {
					walked[text] = true
				}
			}
			review := realReview(t)
			withPod(t, review, r.wrong)
			response := ask(encode(t, review))
			if response.Allowed || !strings.Contains(response.Result.Message, r.advice) {
				t.Fatalf("allowed: %v: %+v, want %q", response.Allowed, response.Result, r.advice)
			}
			if !strings.Contains(response.Result.Message, "pod bookstore/bookstore-v2-") {
				t.Errorf("%q names no pod", response.Result.Message)
			}
			withPod(t, review, r.right)
			if response := ask(encode(t, review)); !response.Allowed || response.Patch == nil {
				t.Errorf("after that: %+v", response.Result)
			}
		})
	}
	for _, text := range texts {
		if !walked[text] && otherRefusals[text] == "" {
			t.Errorf("no pod is refused by %q, and injected after", text)
		}
	}
}

// refusalTexts are the texts of errors in the files that refuse pods, but of
// those that only say what another error is about.
func refusalTexts(t *testing.T) (all []string) {
	t.Helper()
	for _, name := range []string{
		"annotation.go", "decide.go", "inject.go", "injected.go", "probe.go", "resources.go", "traffic.go",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || of.Sel.Name != "Errorf" && of.Sel.Name != "New" {
				return true
			}
			arg := call.Args[0]
			for {
				sum, ok := arg.(*ast.BinaryExpr)
				if !ok {
					break
				}
				arg = sum.X
			}
			if literal, ok := arg.(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(literal.Value); err == nil && !strings.HasSuffix(text, ": %w") && !strings.HasSuffix(text, "%s%w") {
					all = append(all, text)
				}
			}
			return true
		})
	}
	if len(all) < 20 {
		t.Fatalf("only %d refusals are found: %q", len(all), all)
	}
	return all
}
