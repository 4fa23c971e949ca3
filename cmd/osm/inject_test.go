package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/osm-edge/osm/injector/pipy"
)

var update = flag.Bool("update", false, "write the golden files anew")

const proxyID = "6f1f3bb6-6a1c-4d9b-8f43-3a6d5b0f9f5e"

// osmInject runs osm inject, with a proxy's id that is always the same.
func osmInject(stdin string, args ...string) (stdout, stderr string, err error) {
	command := newInjectCommand()
	o := &injectOptions{newProxyID: func() string { return proxyID }}
	command.ResetFlags()
	o.addFlags(command)
	command.RunE = func(c *cobra.Command, _ []string) error {
		return o.run(c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
	}
	command.SilenceErrors, command.SilenceUsage = true, true
	var out, report bytes.Buffer
	command.SetIn(strings.NewReader(stdin))
	command.SetOut(&out)
	command.SetErr(&report)
	command.SetArgs(append([]string{}, args...)) // never nil, for which cobra takes those of the test
	err = command.Execute()
	return out.String(), report.String(), err
}

func TestWhatIsPrintedIsTheGoldenFile(t *testing.T) {
	tests := map[string]struct {
		input string
		args  []string
	}{
		"kinds":     {"kinds.yaml", []string{"-n", "shop", "--set", "osm.injector.interception=none"}},
		"decisions": {"decisions.yaml", nil},
		"list":      {"list.json", []string{"--set", "osm.injector.sidecarPlacement=container,osm.image.tag=v1"}},
	}
	used := map[string]bool{"testdata/refused.yaml": true, "testdata/custom.yaml": true}
	for name, test := range tests {
		extension := filepath.Ext(test.input)
		output, report := "testdata/"+name+".golden"+extension, "testdata/"+name+".golden.txt"
		used["testdata/"+test.input], used[output], used[report] = true, true, true
		t.Run(name, func(t *testing.T) {
			stdout, stderr, err := osmInject("", append(test.args, "-f", "testdata/"+test.input)...)
			if err != nil {
				t.Fatal(err)
			}
			stdout = withoutScripts(stdout)
			mustBeGolden(t, output, stdout)
			mustBeGolden(t, report, stderr)
		})
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !used[file] {
			t.Errorf("%s is of no test", file)
		}
	}
}

// withoutScripts leaves out what the sidecar's scripts are, which have tests of
// their own.
func withoutScripts(stdout string) string {
	files := regexp.MustCompile(`- key: \S+\.js\s+path: pipy/\S+\s+|{\s+"key": "\S+\.js",\s+"path": "pipy/\S+"\s+},?\s*`)
	return strings.ReplaceAll(files.ReplaceAllString(stdout, ""), pipy.ConfigMapName(), "osm-sidecar-0123456789ab")
}

func mustBeGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("printed is another than %s; look at the difference after go test -update", file)
	}
}

func TestWhatWasPrintedIsPrintedAgain(t *testing.T) {
	first, _, err := osmInject("", "-n", "shop", "-f", "testdata/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	second, report, err := osmInject(first, "-n", "shop", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if second != first {
		t.Error("the second time differs")
	}
	if strings.Contains(report, ": injected:") {
		t.Errorf("pods were injected twice:\n%s", report)
	}
}

func TestARefusalPrintsNothingAndIsAnError(t *testing.T) {
	stdout, _, err := osmInject("", "-f", "testdata/refused.yaml")
	if err == nil || stdout != "" {
		t.Fatalf("printed %q, error %v", stdout, err)
	}
	for _, want := range []string{
		`testdata/refused.yaml, document 2: Deployment shop/web: pod shop/web-*: annotation openservicemesh.io/sidecar-injection is "maybe"`,
		"testdata/refused.yaml, document 3, items[0]: Pod shop/taken: pod shop/taken: ",
		"testdata/refused.yaml, document 3, items[1]: Job shop/empty: spec.template: missing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, without %s", err, want)
		}
	}
}

func TestSeveralInputsAreOne(t *testing.T) {
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"app"},"spec":{"containers":[{"name":"app","image":"a"}]}}`
	const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
	file := filepath.Join(t.TempDir(), "namespace.yaml")
	if err := os.WriteFile(file, []byte(namespace), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, report, err := osmInject(pod, "-n", "shop", "-f", "-", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	if want := pod + "\n---\n" + namespace; stdout != want {
		t.Errorf("printed %q, want %q", stdout, want)
	}
	if want := "Pod shop/app: skipped: namespace-not-monitored\n"; report != want {
		t.Errorf("reported %q, want %q", report, want)
	}
}

func TestTheSettingsAreTheChartsValues(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: shop}\nspec: {containers: [{name: app, image: a}]}\n"
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("osm: {sidecarImage: example.test/pipy:1, image: {tag: v1}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want []string
	}{
		"the defaults":                {nil, []string{"image: flomesh/pipy:", "image: flomesh/osm-init:", "restartPolicy: Always", "osm-controller.osm-system.svc:15128"}},
		"of a file":                   {[]string{"--values", file}, []string{"image: example.test/pipy:1", "image: flomesh/osm-init:v1"}},
		"of the command line":         {[]string{"--values", file, "--set", "osm.image.tag=v2"}, []string{"image: example.test/pipy:1", "image: flomesh/osm-init:v2"}},
		"pinned":                      {[]string{"--set", "osm.sidecarImage=flomesh/pipy@" + pinned, "--set", "osm.image.digest.osmInit=" + pinned}, []string{"image: flomesh/pipy@" + pinned, "image: flomesh/osm-init@" + pinned}},
		"lists":                       {[]string{"--set", "osm.outboundPortExclusionList={6379,7070}"}, []string{"6379,7070"}},
		"a trust domain":              {[]string{"--set", "osm.trustDomain=mesh.example"}, []string{"spiffe://mesh.example/ns/shop/sa/default"}},
		"another mesh's":              {[]string{"--set", "osm.meshName=mine"}, []string{`"mesh":"mine"`}},
		"of a mesh elsewhere":         {[]string{"--osm-namespace", "mesh"}, []string{"osm-controller.mesh.svc:15128"}},
		"the sidecar's own resources": {[]string{"--set", "osm.sidecarResources.limits.cpu=1"}, []string{"cpu: \"1\""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := osmInject(pod, append(test.args, "-f", "-")...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("printed is\n%swithout %s", stdout, want)
				}
			}
		})
	}
}

func TestWhatCanNotBeReadIsSaid(t *testing.T) {
	tests := map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no file":                       {"", nil, `required flag(s) "filename" not set`},
		"a file that is not there":      {"", []string{"-f", "missing.yaml"}, "missing.yaml"},
		"an argument":                   {"", []string{"-f", "-", "pod.yaml"}, `"pod.yaml"`},
		"an unknown flag":               {"", []string{"--file", "-"}, "--file"},
		"no YAML":                       {"kind: [", []string{"-f", "-"}, "standard input, document 1"},
		"a field twice":                 {"kind: Pod\nkind: Pod\n", []string{"-f", "-"}, `standard input, document 1`},
		"no object":                     {"- a\n- b\n", []string{"-f", "-"}, "standard input, document 1: it is not an object"},
		"an object of no kind":          {"apiVersion: v1\nkind: Pod\nspec: {}\n---\nosm: {}\n", []string{"-f", "-"}, "standard input, document 2: apiVersion: missing"},
		"a List of no list":             {"apiVersion: v1\nkind: List\nitems: all\n", []string{"-f", "-"}, "items: want a list"},
		"a List of no objects":          {"apiVersion: v1\nkind: List\nitems: [all]\n", []string{"-f", "-"}, "document 1, items[0]: want an object of Kubernetes"},
		"a pod that is none":            {"apiVersion: v1\nkind: Pod\nspec: {containers: 1}\n", []string{"-f", "-"}, "decoding the pod"},
		"a template that is none":       {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: all}\n", []string{"-f", "-"}, "Deployment default/web: spec.template: missing"},
		"a template's metadata":         {"apiVersion: v1\nkind: PodTemplate\nmetadata: {name: web}\ntemplate: {metadata: all}\n", []string{"-f", "-"}, "metadata of the pod template: want an object"},
		"a value that the chart denies": {"", []string{"-f", "-", "--set", "osm.injector.interception=iptables"}, "/osm/injector/interception"},
		"a trust domain of dots":        {"", []string{"-f", "-", "--set", "osm.trustDomain=a..b"}, `/osm/trustDomain`},
		"a value of no name":            {"", []string{"-f", "-", "--set", "osm"}, "--set osm"},
		"values of no file":             {"", []string{"-f", "-", "--values", "missing.yaml"}, "read values: open missing.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := osmInject(test.stdin, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || stdout != "" {
				t.Errorf("error %v, want one that names %s; printed %q", err, test.want, stdout)
			}
		})
	}
}

func TestEveryPodWouldHaveAProxyOfItsOwn(t *testing.T) {
	const pods = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: a}]}\n"
	command := newCommand()
	var out, report bytes.Buffer
	command.SetIn(strings.NewReader(pods + "---\n" + pods))
	command.SetOut(&out)
	command.SetErr(&report)
	command.SetArgs([]string{"inject", "-f", "-"})
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`osm-proxy-uuid: (\S+)`).FindAllString(out.String(), -1)
	if len(ids) != 2 || len(slices.Compact(ids)) != 2 {
		t.Errorf("the ids are %q", ids)
	}
}

// pinned is the digest of an image.
const pinned = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
