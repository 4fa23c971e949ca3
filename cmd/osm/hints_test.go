package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unnamed is a command of osm about a mesh that is not named: that of osm-system.
var unnamed = regexp.MustCompile(`\bosm (check|ca \w+|upgrade|install|uninstall mesh|cert|namespace \w+)\b`)

// same says that a command that was given is to be repeated, as it was given.
var same = regexp.MustCompile(`can be repeated|takes away what|takes it away|name another|--mesh-name`)

// TestHintsNameTheMeshThatTheyAreAbout holds that a hint can be followed in a
// mesh of another name or namespace.
func TestHintsNameTheMeshThatTheyAreAbout(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
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
			if !ok || of.Sel.Name != "Errorf" && of.Sel.Name != "New" && of.Sel.Name != "refuse" && of.Sel.Name != "tell" && of.Sel.Name != "say" {
				return true
			}
			for _, arg := range call.Args {
				if text, ok := arg.(*ast.BasicLit); ok && unnamed.MatchString(text.Value) && !same.MatchString(text.Value) {
					t.Errorf("%s: %s names no mesh", name, text.Value)
				}
			}
			return true
		})
	}
}
