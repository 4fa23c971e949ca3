// Package alerts holds the chart's alerts and dashboard to the metrics that there are, and to when they should fire, in
// a Prometheus.
package alerts

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/publish"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/sds/destination"
	"github.com/osm-edge/osm/webhook"
)

// rule is an alert of the chart, as Prometheus reads it.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func rules(t *testing.T) map[string]rule {
	t.Helper()
	data, err := fs.ReadFile(manifests.Chart(), "files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]rule{}
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if _, twice := all[r.Alert]; twice {
				t.Errorf("there are two alerts %s", r.Alert)
			}
			all[r.Alert] = r
		}
	}
	return all
}

func TestEveryAlertSaysWhatIsWrongAndWhereTheFixIs(t *testing.T) {
	alerts, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range rules(t) {
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || r.For == "" {
			t.Errorf("%s is of severity %q, and waits for %q", name, r.Labels["severity"], r.For)
		}
		for _, annotation := range []string{"summary", "description"} {
			if r.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", name, annotation)
			}
		}
		if got := r.Annotations["runbook_url"]; !strings.HasSuffix(got, "/docs/alerts.md#"+strings.ToLower(name)) {
			t.Errorf("%s sends the engineer on call to %s", name, got)
		}
		if !strings.Contains(string(alerts), "\n## "+name+"\n") {
			t.Errorf("docs/alerts.md has no heading %s", name)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (OSM\w+)$`).FindAllSubmatch(alerts, -1) {
		if _, ok := rules(t)[string(heading[1])]; !ok {
			t.Errorf("docs/alerts.md has %s, which is no alert", heading[1])
		}
	}
}

func TestEveryAlertIsOfMetricsAndLabelsThatThereAre(t *testing.T) {
	known := metrics(t)
	for name, r := range rules(t) {
		mustKnow(t, known, name, r.Expr)
	}
}

func TestEveryPanelIsOfMetricsAndLabelsThatThereAre(t *testing.T) {
	data, err := fs.ReadFile(manifests.Chart(), "files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Error("there is no panel")
	}
	known := metrics(t)
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			mustKnow(t, known, panel.Title, target.Expr)
		}
	}
}

// mustKnow fails unless the components have the metrics of an expression, with
// the labels that it selects and sums by.
func mustKnow(t *testing.T, known map[string][]string, what, expression string) {
	t.Helper()
	expr, err := parser.ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	var of, asked []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			has, ok := known[n.Name]
			if !ok {
				t.Errorf("%s: there is no metric %s", what, n.Name)
			}
			of = append(of, has...)
			for _, matcher := range n.LabelMatchers {
				if matcher.Name != "__name__" && !slices.Contains(has, matcher.Name) {
					t.Errorf("%s: %s has no label %s", what, n.Name, matcher.Name)
				}
			}
		case *parser.AggregateExpr:
			asked = append(asked, n.Grouping...)
		}
		return nil
	})
	for _, label := range asked {
		if !slices.Contains(of, label) {
			t.Errorf("%s: none of its metrics has a label %s", what, label)
		}
	}
}

// metrics are those of all components, by name, with their labels.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewRegistry()
	(&component.OpsServer{Options: &component.Options{}, Component: "osm-test", Registry: registry, Ready: func() error { return nil }}).Handler()
	issuer.NewMetrics(registry)
	sds.NewMetrics(registry)
	rotation.NewMetrics(registry)
	registry.MustRegister(
		issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)}),
		publish.New(publish.Options{Name: "osm-test"}), destination.NewIndex("cluster.local"),
		webhook.NewSecretSource(webhook.SecretSourceOptions{Name: "osm-test-tls"}))
	if _, err := injector.NewHandler(injector.Options{
		Config: func() *injector.Config { return nil }, Namespaces: nowhere{}, Registerer: registry,
	}); err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc, 1000)
	registry.Describe(descriptions)
	close(descriptions)
	known := map[string][]string{}
	for description := range descriptions {
		name, labels := described(t, description)
		known[name] = labels
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			known[name+suffix] = append(slices.Clone(labels), "le")
		}
	}
	return known
}

// described reads a description, which tells itself in words only.
func described(t *testing.T, d *prometheus.Desc) (name string, labels []string) {
	t.Helper()
	parts := regexp.MustCompile(`^Desc\{fqName: "(\w+)", help: .*, constLabels: \{(.*)\}, variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
	if parts == nil {
		t.Fatalf("cannot read %s", d)
	}
	for _, pair := range strings.Split(parts[2], ",") {
		label, _, _ := strings.Cut(pair, "=")
		labels = append(labels, label)
	}
	return parts[1], append(labels, strings.Split(parts[3], ",")...)
}

// nowhere knows no namespace.
type nowhere struct{}

func (nowhere) Get(string) (*corev1.Namespace, error) { return nil, errors.New("no namespace") }
