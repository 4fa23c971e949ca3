package image

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// SBOM returns what an image is made of as SPDX 2.3, in JSON: its binaries, the modules that the Go command built them
// from, as it wrote into them, and Go's standard library. The same binaries give the same bytes.
func SBOM(o Options) ([]byte, error) {
	image := spdxPackage{ID: "SPDXRef-image", Name: o.Name, Version: "", Location: noAssertion, License: noAssertion, Purpose: "CONTAINER"}
	document := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: o.Name,
		Creation: spdxCreation{Created: epoch.Format("2006-01-02T15:04:05Z"), Creators: []string{"Tool: osm-test-image"}},
	}
	whole := sha256.New()
	modules := map[string]spdxPackage{}
	for _, binary := range append([]string{o.Binary}, o.Others...) {
		content, platform, err := readStatic(binary)
		if err != nil {
			return nil, err
		}
		whole.Write(content)
		info, err := buildinfo.Read(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("binary %s: read what it was built from: %w", binary, err)
		}
		sum := sha256.Sum256(content)
		document.Files = append(document.Files, spdxFile{
			ID: "SPDXRef-file-" + platform.Architecture, Name: "./" + filepath.Base(binary), Types: []string{"BINARY"},
			Checksums: []spdxChecksum{{"SHA256", hex.EncodeToString(sum[:])}}, Comment: "for " + platform.String(),
			License: noAssertion, Copyright: noAssertion,
		})
		for _, m := range modulesOf(info) {
			modules[m.ID] = m
		}
	}
	document.Namespace = "https://github.com/osm-edge/osm/spdx/" + hex.EncodeToString(whole.Sum(nil))
	document.Packages = []spdxPackage{image}
	document.relate("SPDXRef-DOCUMENT", "DESCRIBES", image.ID)
	for _, f := range document.Files {
		document.relate(image.ID, "CONTAINS", f.ID)
	}
	for _, m := range sorted(modules) {
		document.Packages = append(document.Packages, m)
		document.relate(image.ID, "DEPENDS_ON", m.ID)
	}
	data, err := json.MarshalIndent(document, "", "  ")
	return append(data, '\n'), err
}

// SBOMFile is SBOM into a file.
func SBOMFile(path string, o Options) error {
	data, err := SBOM(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func modulesOf(info *debug.BuildInfo) []spdxPackage {
	packages := []spdxPackage{module("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	if info.Main.Path != "" {
		packages = append(packages, module(info.Main.Path, info.Main.Version, info.Main.Sum))
	}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		packages = append(packages, module(m.Path, m.Version, m.Sum))
	}
	return packages
}

// module is a package of a Go module, with its package URL, which vulnerability databases look it up by. Its checksum
// is that of go.sum, which is a SHA-256 of the module's files (golang.org/x/mod/sumdb/dirhash).
func module(path, version, sum string) spdxPackage {
	p := spdxPackage{
		ID:   "SPDXRef-module-" + spdxID(path+"-"+version),
		Name: path, Version: version, Location: noAssertion, License: noAssertion, Purpose: "LIBRARY",
		References: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + version}},
	}
	if hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(hash) == sha256.Size {
		p.Checksums = []spdxChecksum{{"SHA256", hex.EncodeToString(hash)}}
		p.Comment = "the checksum is that of go.sum, h1, in hexadecimal"
	}
	return p
}

// spdxID has only what an identifier may (SPDX 2.3, 7.2).
func spdxID(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, s)
}

func sorted(packages map[string]spdxPackage) []spdxPackage {
	var all []spdxPackage
	for _, p := range packages {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b spdxPackage) int { return strings.Compare(a.ID, b.ID) })
	return all
}
