package arrows

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// onlyTests are the requirements of the module that only tests of its packages import, with the reason why they are not
// in a nested module. Tools, engines and servers of tests have modules of their own below test.
var onlyTests = map[string]string{
	"github.com/google/go-cmp":                  "shows differences in tests of most packages, and needs no other module",
	"google.golang.org/genproto/googleapis/rpc": "the status in which sidecars reject an SDS response; the product's gRPC needs it in any case",
	"sigs.k8s.io/randfill":                      "fills the API types in the test of their conversion; the product's Kubernetes needs it in any case",
}

func TestTheModuleRequiresWhatTheProductIsMadeOf(t *testing.T) {
	var imported []string
	for from, paths := range importsOf(t, os.DirFS("../..")) {
		if !strings.HasPrefix(from, "test/") {
			imported = append(imported, paths...)
		}
	}
	required := requirements(t, "../../go.mod")
	if len(required) < 10 {
		t.Fatalf("found %d requirements", len(required))
	}
	for module := range required {
		used := slices.ContainsFunc(imported, func(path string) bool { return path == module || strings.HasPrefix(path, module+"/") })
		switch reason := onlyTests[module]; {
		case !used && reason == "":
			t.Errorf("go.mod requires %s, which no package of the product imports: put what needs it into a nested module below test", module)
		case used && reason != "":
			t.Errorf("the product imports %s: it needs no exception", module)
		}
	}
}

// TestToolsAreOfTheVersionsOfTheModule is for Helm: the command line of the tests has to be that of the library.
func TestToolsAreOfTheVersionsOfTheModule(t *testing.T) {
	const helm = "helm.sh/helm/v4"
	product, tools := requirements(t, "../../go.mod"), requirements(t, "../tools/go.mod")
	if product[helm] == "" || product[helm] != tools[helm] {
		t.Errorf("go.mod requires %s %s, and test/tools/go.mod %s", helm, product[helm], tools[helm])
	}
}

// requirements reads the versions of what a go.mod requires. Of the product's, it leaves out what is indirect.
func requirements(t *testing.T, file string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) (v\S+)( // indirect)?$`).FindAllStringSubmatch(string(content), -1) {
		if line[3] == "" || strings.Contains(file, "tools") {
			required[line[1]] = line[2]
		}
	}
	return required
}
