// Package arrows holds the packages of the module to the arrows between them.
package arrows

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/osm-edge/osm/"

// rooms is everything below the commands.
var rooms = []string{
	"bootstrap", "injector/...", "issuer", "issuer/certmanager", "issuer/identity", "issuer/provider", "issuer/rootsecret", "issuer/rotation",
	"issuer/tresor", "issuer/trustbundle", "issuer/vault/...", "manifests/...", "sds/...", "webhook/...",
}

// leaves import nothing of the module, and every package may import them.
var leaves = []string{"issuer/identity", "issuer/trustbundle", "manifests/event", "manifests/follow", "manifests/mesh"}

// arrows says which packages of the module a package may import. What tests
// import is not held to it. A pattern ends in "..." as those of the go command.
var arrows = []struct {
	from string
	to   []string
}{
	{"cmd/...", append([]string{"cmd/..."}, rooms...)},
	{"bootstrap", []string{"issuer", "issuer/tresor", "issuer/rootsecret", "manifests", "manifests/crd/v1"}},
	{"sds/destination", nil},
	{"sds", []string{"issuer"}},
	{"issuer/rotation", []string{"issuer"}},
	{"webhook/...", []string{"webhook/...", "manifests/crd/..."}},
	{"injector", []string{"injector/interception", "injector/pipy"}},
	{"injector/pipy", nil},
	{"injector/interception", nil},
	{"injector/interception/nft", []string{"injector/interception"}},
	{"issuer", nil},
	{"issuer/tresor", []string{"issuer"}},
	{"issuer/vault", []string{"issuer", "issuer/vault/names"}},
	{"issuer/vault/names", nil},
	{"issuer/certmanager", []string{"issuer"}},
	{"issuer/rootsecret", []string{"issuer"}},
	{"issuer/provider", []string{"issuer", "issuer/tresor", "issuer/vault/...", "issuer/certmanager", "issuer/rootsecret", "manifests/crd/...", "issuer/rotation"}},
	{"issuer/issuertest", []string{"issuer"}},
	{"manifests", nil},
	{"manifests/crd/v1", nil},
	{"manifests/crd/v1alpha2", nil},
	{"manifests/crd/convert", []string{"manifests/crd/..."}},
	{"manifests/crd/validate", []string{"manifests/crd/...", "issuer/vault/names", "injector/interception"}},
	{"manifests/render", []string{"manifests"}},
	{"test/...", []string{"..."}},
}

func TestEveryPackageKeepsToItsArrows(t *testing.T) {
	imports := importsOf(t, os.DirFS("../.."))
	if len(imports) < 10 {
		t.Fatalf("found %d packages of the module", len(imports))
	}
	for from, paths := range imports {
		if err := known(from); err != nil {
			t.Error(err)
		}
		for _, path := range paths {
			if to, ours := strings.CutPrefix(path, module); ours {
				if err := check(from, to); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// importsOf reads what every package of the module imports, whatever it is
// built for, its tests aside. The go command would tell, but go test would not
// know then which files the result depends on, and keep it in its cache.
func importsOf(t *testing.T, root fs.FS) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && notOfTheModule(root, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := path.Dir(name)
		imports[from] = append(imports[from], pathsIn(file)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// notOfTheModule reports whether the go command passes the directory over.
func notOfTheModule(root fs.FS, dir string) bool {
	base := path.Base(dir)
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || err == nil
}

func pathsIn(file *ast.File) (paths []string) {
	for _, spec := range file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, "`\""))
	}
	return paths
}

func known(from string) error {
	if slices.Contains(leaves, from) {
		return nil
	}
	for _, arrow := range arrows {
		if matches(arrow.from, from) {
			return nil
		}
	}
	return fmt.Errorf("package %s has no line in the table of arrows: put its code into a package that has one, or add a line to test/arrows", from)
}

func check(from, to string) error {
	if slices.Contains(leaves, to) && !slices.Contains(leaves, from) {
		return nil
	}
	for _, arrow := range arrows {
		if matches(arrow.from, from) && slices.ContainsFunc(arrow.to, func(pattern string) bool { return matches(pattern, to) }) {
			return nil
		}
	}
	return fmt.Errorf("package %s imports %s, and there is no arrow %s → %s: declare in %s the interface that it needs and let cmd connect the two, or add the arrow to test/arrows",
		from, to, from, to, from)
}

func matches(pattern, path string) bool {
	prefix, subtree := strings.CutSuffix(pattern, "...")
	return path == strings.TrimSuffix(prefix, "/") || subtree && strings.HasPrefix(path, prefix)
}

func TestAnArrowThatIsNotThereIsReported(t *testing.T) {
	for _, arrow := range []string{
		"sds → injector", "sds → sds/destination", "issuer → manifests", "issuer → issuer/tresor", "injector → issuer", "webhook → issuer",
		"manifests → manifests/render", "issuer/tresor → issuer/rootsecret", "bootstrap → issuer/provider",
		"cmd/osm → test/cluster", "cmd/osm → issuer/issuertest", "sds → cmd/osm", "unheard-of → issuer",
		"injector/interception → injector", "injector → injector/interception/nft",
	} {
		from, to, _ := strings.Cut(arrow, " → ")
		if err := check(from, to); err == nil || !strings.Contains(err.Error(), arrow) {
			t.Errorf("%s: error %v", arrow, err)
		}
	}
	for _, arrow := range []string{
		"sds → issuer", "cmd/osm → cmd/internal/component", "cmd/osm → webhook", "test/sidecar → injector", "injector → injector/pipy",
	} {
		from, to, _ := strings.Cut(arrow, " → ")
		if err := check(from, to); err != nil {
			t.Error(err)
		}
	}
	if err := known("unheard-of"); err == nil || !strings.Contains(err.Error(), "unheard-of") {
		t.Errorf("an unknown package: error %v", err)
	}
}
