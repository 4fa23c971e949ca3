package image_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/image/packer/image"
)

// bill is what the test reads of an SBOM.
type bill struct {
	Version  string `json:"spdxVersion"`
	ID       string `json:"SPDXID"`
	Packages []struct {
		ID        string `json:"SPDXID"`
		Name      string `json:"name"`
		Version   string `json:"versionInfo"`
		Checksums []struct {
			Value string `json:"checksumValue"`
		} `json:"checksums"`
		References []struct {
			Locator string `json:"referenceLocator"`
		} `json:"externalRefs"`
	} `json:"packages"`
	Files         []struct{ SPDXID string } `json:"files"`
	Relationships []struct {
		From string `json:"spdxElementId"`
		To   string `json:"relatedSpdxElement"`
	} `json:"relationships"`
}

func TestAnSBOMNamesEveryModuleOfABinary(t *testing.T) {
	o := image.Options{Binary: packer(t), Name: reference}
	first, err := image.SBOM(o)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := image.SBOM(o); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same binary gave another SBOM, error %v", err)
	}
	var b bill
	if err := json.Unmarshal(first, &b); err != nil {
		t.Fatal(err)
	}
	if b.Version != "SPDX-2.3" || len(b.Files) != 1 {
		t.Errorf("version %s, files %v", b.Version, b.Files)
	}
	ids := map[string]bool{b.ID: true, b.Files[0].SPDXID: true}
	found := map[string]string{}
	for _, p := range b.Packages {
		if !regexp.MustCompile(`^SPDXRef-[-.A-Za-z0-9]+$`).MatchString(p.ID) || ids[p.ID] {
			t.Errorf("%s has the identifier %s", p.Name, p.ID)
		}
		ids[p.ID] = true
		if len(p.References) == 1 {
			found[p.Name] = p.References[0].Locator
		}
		if p.Name == "github.com/google/go-containerregistry" && (len(p.Checksums) != 1 || len(p.Checksums[0].Value) != 64) {
			t.Errorf("the checksums of %s are %v", p.Name, p.Checksums)
		}
	}
	for _, relationship := range b.Relationships {
		if !ids[relationship.From] || !ids[relationship.To] {
			t.Errorf("%v is of something that is not there", relationship)
		}
	}
	for name, want := range map[string]string{"std": "pkg:golang/std@1.", "github.com/google/go-containerregistry": "pkg:golang/github.com/google/go-containerregistry@v"} {
		if !strings.HasPrefix(found[name], want) {
			t.Errorf("%s is %q, want %s", name, found[name], want)
		}
	}
}

// packer is the command that packs, a binary with modules.
func packer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "pack")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}
