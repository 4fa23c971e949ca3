package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const plainPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: shop}\nspec: {containers: [{name: app, image: a}]}\n"

// mustInject returns what osm inject prints of input, and what it reports.
func mustInject(t *testing.T, input string) (stdout, report string) {
	t.Helper()
	stdout, report, err := osmInject(input, "-n", "shop", "-f", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	return stdout, report
}

func TestTheIdentityIsThatOfTheServiceAccountByEitherName(t *testing.T) {
	tests := map[string]struct{ spec, want string }{
		"its name":                   {"serviceAccountName: books", "books"},
		"its former name":            {"serviceAccount: books", "books"},
		"both, which agree":          {"serviceAccountName: books, serviceAccount: books", "books"},
		"both, which do not":         {"serviceAccountName: books, serviceAccount: other", "books"},
		"an empty name, and another": {`serviceAccountName: "", serviceAccount: books`, "books"},
		"no name, and another":       {`serviceAccountName: null, serviceAccount: books`, "books"},
		"none":                       {`serviceAccount: ""`, "default"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, input := range map[string]string{
				"Pod":        strings.Replace(plainPod, "spec: {", "spec: {"+test.spec+", ", 1),
				"Deployment": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app, namespace: shop}\nspec: {template: {spec: {" + test.spec + ", containers: [{name: app, image: a}]}}}\n",
			} {
				stdout, _ := mustInject(t, input)
				if id := "spiffe://cluster.local/ns/shop/sa/" + test.want; !strings.Contains(stdout, id+`"`) {
					t.Errorf("%s: the identity is not %s:\n%s", kind, id, stdout)
				}
			}
		})
	}
}

func TestAnOverrideAfterAMergeIsNoDuplicate(t *testing.T) {
	merged := map[string]string{
		"an override": `
spec:
  containers:
  - &base {name: app, image: a, env: [{name: MODE, value: worker}]}
  - <<: *base
    name: helper
`,
		"an override before the merge": `
spec:
  containers:
  - &base {image: a, env: [{name: MODE, value: worker}]}
  - name: helper
    <<: *base
`,
		"a list of merges": `
spec:
  containers:
  - &one {name: app, image: a}
  - &two {name: other, image: b}
  - <<: [*one, *two]
    name: helper
`,
		"a merge of what was merged": `
spec:
  containers:
  - &one {name: app, image: a}
  - &two {<<: *one, name: other}
  - {<<: *two, name: helper}
`,
		"an alias": `
spec:
  containers:
  - {name: app, image: a, env: &env [{name: MODE, value: worker}]}
  - {name: helper, image: a, env: *env}
`,
	}
	for name, spec := range merged {
		t.Run(name, func(t *testing.T) {
			input := "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: shop}" + spec
			stdout, report := mustInject(t, input)
			if !strings.Contains(report, "injected: namespace-monitored") || strings.Contains(stdout, "<<") {
				t.Errorf("printed is\n%s%s", report, stdout)
			}
			var given, printed struct {
				Spec struct{ Containers []map[string]any }
			}
			if err := yaml.Unmarshal([]byte(input), &given); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal([]byte(stdout), &printed); err != nil {
				t.Fatal(err)
			}
			for i, container := range given.Spec.Containers {
				for key, value := range container {
					if got := printed.Spec.Containers[i][key]; asYAML(t, got) != asYAML(t, value) {
						t.Errorf("containers[%d].%s is %v, and kubectl reads %v", i, key, got, value)
					}
				}
			}
		})
	}
}

func asYAML(t *testing.T, value any) string {
	t.Helper()
	data, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAKeyThatIsThereTwiceIsRefusedWithItsPlace(t *testing.T) {
	tests := map[string]struct{ input, want string }{
		"of an object":          {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nmetadata: {name: b}\n", `line 4: key "metadata" is there already, in line 3`},
		"in a list":             {"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    name: b\n", `line 6: key "name" is there already, in line 5`},
		"beside a merge":        {"apiVersion: v1\nkind: Pod\nmetadata: &m {name: a}\nspec:\n  <<: *m\n  a: 1\n  a: 2\n", `line 7: key "a" is there already, in line 6`},
		"in what is merged":     {"apiVersion: v1\nkind: Pod\nspec:\n  <<: {a: 1, a: 2}\n", `line 4: key "a" is there already`},
		"once in quotes":        {"apiVersion: v1\nkind: Pod\n\"kind\": Job\n", `line 3: key "kind" is there already, in line 2`},
		"a number and a string": {"apiVersion: v1\nkind: ConfigMap\ndata: {1: a, \"1\": b}\n", `line 3: key "1" is there already`},
		"after Windows' ends":   {"apiVersion: v1\r\nkind: Pod\r\nkind: Job\r\n", `line 3: key "kind" is there already`},
		"in a later document":   {plainPod + "---\nkind: Pod\nkind: Pod\n", `standard input, document 2: line 2: key "kind" is there already`},
		"of JSON":               {`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","name":"b"}]}}`, `duplicate field "spec.containers[0].name"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := osmInject(test.input, "-f", "-")
			if err == nil || !strings.Contains(err.Error(), test.want) || stdout != "" {
				t.Errorf("error %v, want one that names %s; printed %q", err, test.want, stdout)
			}
		})
	}
}

func TestInputComesInManyForms(t *testing.T) {
	const json = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"app","namespace":"shop","annotations":{"smile":"\ud83d\ude00\/"}},"spec":{"containers":[{"name":"app","image":"a"}]}}`
	injected := "Pod shop/app: injected: namespace-monitored\n"
	tests := map[string]struct{ input, report string }{
		"Windows' line ends":        {strings.ReplaceAll(plainPod+"---\n"+plainPod, "\n", "\r\n"), injected + injected},
		"a byte order mark":         {"\ufeff" + plainPod, injected},
		"JSON after such a mark":    {"\ufeff" + json, injected},
		"JSON with escapes":         {json, injected},
		"JSON with tabs":            {strings.ReplaceAll(json, ",", ",\n\t"), injected},
		"JSON after JSON":           {json + json, injected + injected},
		"JSON after YAML":           {plainPod + "---\n" + json, injected + injected},
		"no end of the last line":   {strings.TrimSpace(plainPod), injected},
		"empty documents":           {"---\n---\n\n---\n" + plainPod + "---\n# nothing\n---\n", injected},
		"a comment at a separator":  {plainPod + "--- # the next\n" + plainPod, injected + injected},
		"nothing":                   {"", ""},
		"nothing but a comment":     {"# nothing\n", ""},
		"a name and its prefix":     {strings.Replace(plainPod, "{name: app", "{name: app, generateName: web-", 1), injected},
		"a prefix of a name":        {strings.Replace(plainPod, "{name: app", "{generateName: web-", 1), "Pod shop/web-: injected: namespace-monitored\n"},
		"a template without a name": {"apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: run-}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: a}]}}}\n", "Job shop/run-: injected: namespace-monitored\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, report := mustInject(t, test.input)
			if report != test.report {
				t.Errorf("reported %q, want %q", report, test.report)
			}
			again, _ := mustInject(t, stdout)
			if again != stdout {
				t.Errorf("what was printed is not printed again:\n%s\n%s", stdout, again)
			}
		})
	}
}

func TestWhatAnAPIServerCannotReadIsRefused(t *testing.T) {
	tests := map[string]struct{ old, new, want string }{
		"a number for a string":  {"image: a", "image: a, env: [{name: A, value: 1}]", "spec.containers.env.value of type string"},
		"a word for an address":  {"image: a", "image: a, ports: [{containerPort: http}]", "int32"},
		"no quantity":            {"image: a", "image: a, resources: {limits: {memory: 1GB}}", "quantities must match"},
		"an annotation as truth": {"namespace: shop", "namespace: shop, annotations: {openservicemesh.io/sidecar-injection: true}", "string"},
		"no UTF-8":               {"name: app,", "name: \xff\xfe,", "document 1: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, report, err := osmInject(strings.Replace(plainPod, test.old, test.new, 1), "-f", "-")
			if err == nil || !strings.Contains(err.Error(), test.want) || stdout != "" {
				t.Errorf("error %v, want one that names %s; reported %q, printed %q", err, test.want, report, stdout)
			}
		})
	}
}

// TestPodTemplatesAreFoundByTheirShape has the custom resources of well-known
// projects, and kinds that hold no template.
func TestPodTemplatesAreFoundByTheirShape(t *testing.T) {
	input, err := os.ReadFile("testdata/custom.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stdout, report := mustInject(t, string(input))
	want := strings.TrimLeft(`
Rollout shop/web, spec.template: injected: namespace-monitored
Deployment shop/old: injected: namespace-monitored
JobSet shop/train, spec.replicatedJobs[0].template.spec.template: injected: namespace-monitored
JobSet shop/train, spec.replicatedJobs[1].template.spec.template: injected: namespace-monitored
RayCluster shop/ray, spec.headGroupSpec.template: injected: namespace-monitored
RayCluster shop/ray, spec.workerGroupSpecs[0].template: skipped: pod-declines
Elasticsearch shop/logs, spec.nodeSets[0].podTemplate: injected: namespace-monitored
Object shop/remote, spec.forProvider.manifest: injected: namespace-monitored
Cache shop/fast, spec.podTemplateSpec: injected: namespace-monitored
Service shop/hello, spec.template: injected: namespace-monitored
Workflow shop/build: not looked at: the kind Workflow.argoproj.io is unknown, and no pod template was found in it
Prometheus shop/k8s: not looked at: the kind Prometheus.monitoring.coreos.com is unknown, and no pod template was found in it
Deployment shop/one: injected: namespace-monitored
Deployment shop/two: injected: namespace-monitored
Rollout shop/three, spec.template: injected: namespace-monitored
`, "\n")
	if report != want {
		t.Errorf("reported\n%s\nwant\n%s", report, want)
	}
	if n := len(regexp.MustCompile(`osm-proxy-uuid: `).FindAllString(stdout, -1)); n != strings.Count(want, ": injected: ") {
		t.Errorf("%d pods have a sidecar", n)
	}
}
