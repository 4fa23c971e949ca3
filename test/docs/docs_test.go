// Package docs holds the documents to one another: their links lead somewhere,
// and a translation says the same, line by line, with the same commands.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/transcript"
)

const root = "../.."

func TestTheCertificateGuideSaysTheSameInBothLanguages(t *testing.T) {
	translated, err := filepath.Glob(filepath.Join(root, "docs", "*.ja.md"))
	if err != nil || len(translated) < 6 {
		t.Fatalf("%d pages are translated: %v", len(translated), err)
	}
	for _, path := range translated {
		japanese := "docs/" + filepath.Base(path)
		english := strings.Replace(japanese, ".ja.md", ".md", 1)
		if err := transcript.CompareShape(read(t, english), read(t, japanese)); err != nil {
			t.Errorf("%s: %v", japanese, err)
		}
		if err := transcript.Compare(parse(t, english), parse(t, japanese)); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryCommandOfTheDocumentsIsOneThatBashReads(t *testing.T) {
	for _, name := range documents(t) {
		if err := transcript.CheckSyntax(t.Context(), parse(t, name)); err != nil {
			t.Error(err)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestEveryLinkOfTheDocumentsLeadsSomewhere(t *testing.T) {
	for _, name := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(read(t, name), -1) {
			target := found[1]
			if strings.Contains(target, "://") {
				continue
			}
			path, anchor, _ := strings.Cut(target, "#")
			file := name
			if path != "" {
				file = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s links to %s: %v", name, target, err)
			} else if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s links to %s, and there is no such heading", name, target)
			}
		}
	}
}

var page = regexp.MustCompile(`docs/[\w/-]+\.md(?:#[\w-]+)?`)

// TestEveryPageThatAMessageNamesExists holds what the programs and the chart send
// their users to.
func TestEveryPageThatAMessageNamesExists(t *testing.T) {
	for _, directory := range []string{"bootstrap", "cmd", "injector", "issuer", "manifests", "sds", "webhook"} {
		err := fs.WalkDir(os.DirFS(root), directory, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.Contains(name, "testdata/") {
				return err
			}
			for _, found := range page.FindAllString(strings.ReplaceAll(read(t, name), "contributors/devel", ""), -1) {
				file, anchor, _ := strings.Cut(found, "#")
				if _, err := os.Stat(filepath.Join(root, file)); err != nil {
					t.Errorf("%s names %s: %v", name, found, err)
				} else if anchor != "" && !anchors(read(t, file))[anchor] {
					t.Errorf("%s names %s, and there is no such heading", name, found)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")

func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	defined := definedTests(t)
	for _, name := range documents(t) {
		for _, found := range testName.FindAllStringSubmatch(read(t, name), -1) {
			if !defined[found[1]] {
				t.Errorf("%s names %s, and there is no such test", name, found[1])
			}
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

func definedTests(t *testing.T) map[string]bool {
	t.Helper()
	defined := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range testFunction.FindAllSubmatch(source, -1) {
			defined[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return defined
}

func documents(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns those that GitHub gives to the headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		found[strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return found
}

func parse(t *testing.T, name string) transcript.Document {
	t.Helper()
	document, err := transcript.Read(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	reason    = regexp.MustCompile(`\b[rR]eason\w*\s*[:=]+\s*"([A-Z]\w+)"`)
	reasoning = []string{"cmd/osm-controller", "cmd/osm-injector", "issuer/rotation", "bootstrap", "issuer/provider", "manifests/crd/v1"}
)

// TestEachReasonIsInTheDocuments holds that users find the reasons of Events and
// conditions.
func TestEachReasonIsInTheDocuments(t *testing.T) {
	documented, found := read(t, "docs/reference/events.md"), 0
	for _, directory := range reasoning {
		files, err := filepath.Glob(filepath.Join(root, directory, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no files: %v", directory, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range reason.FindAllStringSubmatch(string(text), -1) {
				found++
				if !strings.Contains(documented, "`"+match[1]+"`") {
					t.Errorf("%s has the reason %s, and docs/reference/events.md has not", name, match[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d reasons are found", found)
	}
}
