package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hint is one thing that can be wrong.
type hint struct {
	name string
	// finding is where the code says it, as function: format.
	finding string
	object  string
	// says is what else the hint has to say.
	says  string
	plant func(*world)
	// byHand is what an operator does whom the hint can only tell what, and where
	// to look: the command changes nothing.
	byHand func(*world)
}

// TestTheHintOfEachFindingHelps plants the cause of everything that a check can
// find, follows the hint, and has the finding gone.
func TestTheHintOfEachFindingHelps(t *testing.T) {
	texts := findingsOfTheCode(t)
	walked := map[string]bool{}
	for _, h := range hints(t) {
		t.Run(h.name, func(t *testing.T) {
			walked[h.finding] = true
			format, known := texts[h.finding]
			if !known {
				t.Fatalf("the code says no %q", h.finding)
			}
			w := newWorld(t)
			h.plant(w)
			report := Run(w.Snapshot)
			check, found := findingOf(report, h, format)
			if found == nil {
				t.Fatalf("not found: %+v", report)
			}
			mustBe(t, check, h.finding, found.Severity)
			t.Logf("%s: %s\n\t%s", found.Object, found.Problem, found.Fix)
			h.follow(t, w, found)
			if _, left := findingOf(Run(w.Snapshot), h, format); left != nil {
				t.Errorf("it is still there after %q: %+v", found.Fix, left)
			}
		})
	}
	delete(texts, "definitions: it cannot read its own definitions: %s") // they are embedded in the binary, and tested
	for text := range texts {
		if !walked[text] {
			t.Errorf("no case plants %q, and follows its hint", text)
		}
	}
}

// findingOf returns what a report has of the hint, and the check that found it.
func findingOf(report Report, h hint, format *regexp.Regexp) (check string, found *Finding) {
	for _, c := range report.Checks {
		for _, f := range c.Findings {
			if (f.Object == h.object || h.object == "" && ofSigner.MatchString(f.Object)) && format.MatchString(f.Problem) {
				return c.Name, &f
			}
		}
	}
	return "", nil
}

// ofSigner is the name of a root, whose subject is another each time.
var ofSigner = regexp.MustCompile(`^root SERIALNUMBER=\w+,CN=osm-ca.openservicemesh.io of MeshRootCertificate mesh-east/east-authority$`)

// commandOf is the command of a hint, which it ends in.
var commandOf = regexp.MustCompile(`(?:^|: |or else, )((?:kubectl|osm|helm|timedatectl) .+)$`)

// negative is a duration that is none, or of no thing.
var negative = regexp.MustCompile(`-\d+[hms]|\b0s\b|%!|  |\(\)|: :|\b1 (replica|pod|root|namespace|certificate|port|right|Secret|workload|definition)s\b`)

// shows are commands that change nothing, that a person goes on with, or whose
// effect is outside of the mesh.
var shows = regexp.MustCompile(`^(kubectl (logs|describe|get|edit|create -f|patch (serviceaccount|deployment)|create secret (docker-registry|generic given))|osm ca show|timedatectl)\b`)

func (h hint) follow(t *testing.T, w *world, found *Finding) {
	t.Helper()
	for _, text := range []string{found.Object, found.Problem, found.Fix} {
		if text == "" || negative.MatchString(text) {
			t.Errorf("it says %q", text)
		}
	}
	if !strings.Contains(found.Fix, h.says) {
		t.Errorf("the hint is %q, and says nothing of %q", found.Fix, h.says)
	}
	matched := commandOf.FindStringSubmatch(found.Fix)
	if h.byHand != nil {
		if matched != nil && !shows.MatchString(matched[1]) {
			t.Errorf("%q can be followed: have the test do it", matched[1])
		}
		h.byHand(w)
		return
	}
	if matched == nil {
		t.Fatalf("the hint %q ends in no command", found.Fix)
	}
	for command := range strings.SplitSeq(matched[1], " && ") {
		if err := w.do(command); err != nil {
			t.Errorf("%q: %v", command, err)
		}
	}
}

// findingsOfTheCode are the texts of all findings: what is passed to fail and
// warn and, where that is put together elsewhere, what results and fields named
// problem get.
func findingsOfTheCode(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	notTests := func(info fs.FileInfo) bool { return !strings.HasSuffix(info.Name(), "_test.go") }
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]*regexp.Regexp{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasSuffix(info.Name(), ".go") || !notTests(info) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), info.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
				findingsIn(t, function, texts)
			}
		}
	}
	return texts
}

func findingsIn(t *testing.T, function *ast.FuncDecl, texts map[string]*regexp.Regexp) {
	add := func(text ast.Expr) {
		if format := literal(text); format != "" {
			key := function.Name.Name + ": " + format
			if format == "%s" {
				key = fmt.Sprintf("%s: what another says", function.Name.Name)
			}
			texts[key] = pattern(format)
		}
	}
	results := function.Type.Results
	composes := results != nil && slices.ContainsFunc(results.List, func(f *ast.Field) bool { return len(f.Names) > 0 && f.Names[len(f.Names)-1].Name == "problem" })
	ast.Inspect(function.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || name.Sel.Name != "fail" && name.Sel.Name != "warn" || len(n.Args) < 3 {
				break
			}
			if literal(n.Args[2]) == "" {
				t.Errorf("%s: the text of a finding is no literal", function.Name.Name)
			}
			if literal(n.Args[2]) != "%s" || !composedHere(n.Args[3]) {
				add(n.Args[2])
			}
		case *ast.ReturnStmt:
			if composes && len(n.Results) > 0 {
				add(n.Results[len(n.Results)-1])
			}
		case *ast.AssignStmt:
			if field, ok := n.Lhs[0].(*ast.SelectorExpr); ok && field.Sel.Name == "problem" && len(n.Rhs) == 1 {
				add(n.Rhs[0])
			}
		}
		return true
	})
}

// composedHere reports whether a text is a result or field named problem.
func composedHere(text ast.Expr) bool {
	switch text := text.(type) {
	case *ast.Ident:
		return text.Name == "problem"
	case *ast.SelectorExpr:
		return text.Sel.Name == "problem"
	}
	return false
}

// literal is the first text of an expression that puts one together.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil {
			return text
		}
	case *ast.BinaryExpr:
		if text := literal(e.X); text != "" {
			return text + "%s"
		}
	case *ast.CallExpr:
		if name, ok := e.Fun.(*ast.SelectorExpr); ok && name.Sel.Name == "Sprintf" {
			return literal(e.Args[0])
		}
	}
	return ""
}

var verb = regexp.MustCompile(`%(\[\d\])?[a-z]`)

func pattern(format string) *regexp.Regexp {
	var parts []string
	for part := range strings.SplitSeq(verb.ReplaceAllString(format, "\x00"), "\x00") {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
}
