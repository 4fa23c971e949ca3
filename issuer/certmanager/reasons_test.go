package certmanager

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachReasonIsShownByItsCause holds that a test of this package plants the
// cause of each reason, most of them on a real cert-manager.
func TestEachReasonIsShownByItsCause(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for _, reason := range reasonsOf(t, "error.go") {
		if planted := regexp.MustCompile(`(certmanager\.|, )` + reason + `[,)]`); !planted.MatchString(tests.String()) {
			t.Errorf("no test plants the cause of %s", reason)
		}
	}
}

// reasonsOf are the constants of type Reason in a file.
func reasonsOf(t *testing.T, name string) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			all = append(all, spec.Names[0].Name)
		}
		return true
	})
	if len(all) < 12 {
		t.Fatalf("only %d reasons are found", len(all))
	}
	return all
}
