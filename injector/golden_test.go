package injector

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func goldenOf(file string) string { return strings.TrimSuffix(file, ".yaml") + goldenSuffix }

func TestAPodBecomesWhatItsGoldenFileSays(t *testing.T) {
	for _, s := range corpus(t) {
		t.Run(strings.TrimPrefix(s.file, "testdata/"), func(t *testing.T) {
			got, golden := outcome(t, s), goldenOf(s.file)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("not as in %s, -want +got (write it anew with -update):\n%s", golden, diff)
			}
		})
	}
}

// outcome is the pod that is created, if one is, under what is said about it.
func outcome(t *testing.T, s sample) []byte {
	t.Helper()
	result := s.config.Inject(s.json, s.namespace, testProxy)
	var text bytes.Buffer
	fmt.Fprintf(&text, "# %s: %s\n", result.Decision, result.Reason)
	for _, warning := range result.Warnings {
		fmt.Fprintf(&text, "# warning: %s\n", warning)
	}
	if result.Err != nil {
		fmt.Fprintf(&text, "# error: %s\n", strings.ReplaceAll(result.Err.Error(), "\n", "\n#   "))
		return text.Bytes()
	}
	pod, err := yaml.JSONToYAML(applied(t, s.json, result.Patch))
	if err != nil {
		t.Fatal(err)
	}
	text.Write(pod)
	return text.Bytes()
}

func TestEveryGoldenFileHasItsPod(t *testing.T) {
	samples := corpus(t)
	goldens, err := filepath.Glob("testdata/*/*" + goldenSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		if !slices.ContainsFunc(samples, func(s sample) bool { return goldenOf(s.file) == golden }) {
			t.Errorf("%s is stale: no pod is beside it", golden)
		}
	}
}
