package main

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
)

func refuseNamespaces(t *testing.T, client kubernetes.Interface) {
	makeNamespace(t, client, "fine", nil, nil)
	makeNamespace(t, client, "osm-system", nil, nil)
	makeNamespace(t, client, "taken", map[string]string{monitoredLabel: "other"}, nil)
	for name, want := range map[string]string{
		"kube-system":     "never of a mesh",
		"kube-public":     "never of a mesh",
		"kube-node-lease": "never of a mesh",
		"osm-system":      "never of a mesh",
		"taken":           "osm namespace remove taken --mesh-name other",
		"unheard-of":      "kubectl create namespace unheard-of",
	} {
		verbs := []string{"add", "remove", "ignore"}
		if want == "never of a mesh" {
			verbs = []string{"add"} // one that was labelled all the same can be taken out
		}
		for _, verb := range verbs {
			out, err := osm(t.Context(), "namespace", verb, "fine", name)
			if err == nil || !strings.Contains(err.Error(), "namespace "+name) || !strings.Contains(err.Error(), want) || out != "" {
				t.Errorf("%s %s: error %v, want %q; printed %q", verb, name, err, want, out)
			}
		}
	}
	fine, err := client.CoreV1().Namespaces().Get(t.Context(), "fine", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fine.Labels[monitoredLabel]; ok || fine.Labels[ignoreLabel] != "" {
		t.Errorf("it was changed beside one that was refused: %v", fine.Labels)
	}
}

func moveNamespace(t *testing.T, client kubernetes.Interface) {
	makeNamespace(t, client, "moved", map[string]string{"team": "books"}, nil)
	for _, step := range []struct{ do, mesh, injection, ignored string }{
		{"add moved", "osm", "enabled", ""},
		{"add moved --disable-sidecar-injection", "osm", "disabled", ""},
		{"add moved", "osm", "enabled", ""},
		{"ignore moved", "", "enabled", "true"},
		{"add moved --mesh-name second", "second", "enabled", ""},
		{"remove moved --mesh-name second", "", "", ""},
	} {
		for range 2 { // the second time changes nothing
			if _, err := osm(t.Context(), append([]string{"namespace"}, strings.Fields(step.do)...)...); err != nil {
				t.Fatalf("%s: %v", step.do, err)
			}
			n, err := client.CoreV1().Namespaces().Get(t.Context(), "moved", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			is := []string{n.Labels[monitoredLabel], n.Annotations[injectionAnnotation], n.Labels[ignoreLabel], n.Labels["team"]}
			if want := []string{step.mesh, step.injection, step.ignored, "books"}; !slices.Equal(is, want) {
				t.Errorf("%s: is %q, want %q", step.do, is, want)
			}
		}
	}
}

func listInjections(t *testing.T, client kubernetes.Interface) {
	for value, want := range map[string]string{"": "enabled", "YES": "enabled", "Disabled": "disabled", "maybe": `invalid: "maybe"`} {
		annotations := map[string]string{injectionAnnotation: value}
		if value == "" {
			annotations = nil
		}
		name := "listed-" + strings.ToLower(value) + "x"
		makeNamespace(t, client, name, map[string]string{monitoredLabel: "osm"}, annotations)
		out, err := osm(t.Context(), "namespace", "list")
		if line := lineOf(out, name); err != nil || !strings.Contains(line, want+" ") {
			t.Errorf("%q: error %v, listed as %q, want %q", value, err, line, want)
		}
	}
}

func tellOfRestarts(t *testing.T, client kubernetes.Interface) {
	const restart = "kubectl rollout restart deployment,statefulset,daemonset -n "
	makeNamespace(t, client, "host", nil, nil)
	makePod(t, client, "host", "agent", nil, true)
	makeNamespace(t, client, "mixed", nil, nil)
	makePod(t, client, "mixed", "with", map[string]string{injector.ProxyLabel: "1"}, false)
	makePod(t, client, "mixed", "without", nil, false)
	out, err := osm(t.Context(), "namespace", "add", "host", "mixed")
	if err != nil || !strings.Contains(out, restart+"mixed") || strings.Contains(out, restart+"host") {
		t.Errorf("error %v, printed:\n%s", err, out)
	}
	out, err = osm(t.Context(), "namespace", "list")
	if line := strings.Join(strings.Fields(lineOf(out, "mixed")), " "); err != nil || line != "mixed osm enabled 1 1" {
		t.Errorf("error %v, listed as %q", err, line)
	}
}

func completeThem(t *testing.T, client kubernetes.Interface) {
	makeNamespace(t, client, "completed", nil, nil)
	for args, offered := range map[string]bool{
		"namespace add ":           true,
		"namespace add completed ": false,
		"cert list -n ":            true,
		"check --osm-namespace ":   true,
		"cert get completed -n ":   true,
	} {
		out, err := osm(t.Context(), append([]string{"__complete"}, strings.Split(args, " ")...)...)
		lines := strings.Split(out, "\n")
		if err != nil || slices.Contains(lines, "completed") != offered || !slices.Contains(lines, "default") {
			t.Errorf("%q: error %v, offered:\n%s", args, err, out)
		}
	}
}
