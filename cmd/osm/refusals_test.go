package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// excused are refusals that no test plants, each with why.
var excused = map[string]string{
	"%s": "it passes on the text of a refusal{}, or of issuer/rootsecret, which has tests of its own",
}

// telling is how long a part of a text has to be for it to be in no other text.
const telling = 20

var verb = regexp.MustCompile(`%[a-z]`)

// TestEachRefusalIsPlanted holds that a test has each text that osm install and
// osm upgrade refuse something with.
func TestEachRefusalIsPlanted(t *testing.T) {
	t.Parallel()
	var planted []string
	for _, pattern := range []string{"*_test.go", "../../test/integration/*_test.go"} {
		for _, file := range parsed(t, pattern, func(name string) bool { return name != "refusals_test.go" }) {
			planted = append(planted, literals(file)...)
		}
	}
	used := map[string]bool{}
	texts := 0
	for _, file := range parsed(t, "*.go", func(name string) bool { return !strings.HasSuffix(name, "_test.go") }) {
		for _, text := range refusalsOf(t, file) {
			texts++
			if excused[text] != "" {
				used[text] = true
			} else if !isPlanted(text, planted) {
				t.Errorf("%q is refused, and no test plants it: add it to refusalCases of test/integration/refusals_test.go", text)
			}
		}
	}
	for text := range excused {
		if !used[text] {
			t.Errorf("%q is excused, and is no refusal", text)
		}
	}
	if texts < 20 {
		t.Errorf("there are %d refusals: where are the others?", texts)
	}
}

// isPlanted looks for a long part of a text that is always the same, or for the
// beginning.
func isPlanted(text string, planted []string) bool {
	beginning, same, long := "^", 0, ""
	for i, part := range verb.Split(text, -1) {
		if len(part) > len(long) {
			long = part
		}
		if same >= telling || part == "" && i > 0 {
			continue
		}
		if i > 0 {
			beginning += `\S.*`
		}
		beginning += regexp.QuoteMeta(part)
		same += len(part)
	}
	begins := regexp.MustCompile(beginning)
	return slices.ContainsFunc(planted, func(one string) bool {
		return len(long) >= telling && strings.Contains(one, strings.TrimSpace(long)) || begins.MatchString(one)
	})
}

func parsed(t *testing.T, pattern string, wanted func(name string) bool) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !wanted(name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func literals(in ast.Node) (texts []string) {
	ast.Inspect(in, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// refusalsOf returns the formats that a file refuses something with.
func refusalsOf(t *testing.T, file *ast.File) (texts []string) {
	t.Helper()
	add := func(problem ast.Expr) {
		if found := literals(problem); len(found) > 0 {
			texts = append(texts, found[0])
		} else {
			t.Errorf("%s: a refusal has no text that can be looked for", file.Name)
		}
	}
	isRefusal := func(of ast.Expr) bool {
		name, ok := of.(*ast.Ident)
		return ok && name.Name == "refusal"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if of, ok := n.Fun.(*ast.SelectorExpr); ok && of.Sel.Name == "refuse" {
				add(n.Args[1])
			}
		case *ast.CompositeLit:
			if isRefusal(n.Type) {
				add(n.Elts[0])
			}
			if list, ok := n.Type.(*ast.ArrayType); ok && isRefusal(list.Elt) {
				for _, one := range n.Elts {
					if one, ok := one.(*ast.CompositeLit); ok {
						add(one.Elts[0])
					}
				}
			}
		}
		return true
	})
	return texts
}
