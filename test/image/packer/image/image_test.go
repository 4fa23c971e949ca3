package image_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/osm-edge/osm/test/image/packer/image"
)

const reference = "registry.example/osm/hello:v1"

func TestPackingTwiceGivesTheSameBytes(t *testing.T) {
	o := image.Options{Binary: compile(t), Name: reference, Labels: map[string]string{"b": "2", "a": "1"}}
	if first, second := pack(t, o), pack(t, o); !bytes.Equal(first, second) {
		t.Errorf("the same binary gave %d and %d bytes that differ", len(first), len(second))
	}
}

func TestAPackedImageRunsTheBinaryAsNonRoot(t *testing.T) {
	index := unpack(t, pack(t, image.Options{Binary: compile(t), Name: reference, Labels: map[string]string{"app": "hello"}}))
	// Fast, because the whole validation takes every layer for gzip; the layer is read below.
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Fatalf("the archive is not a valid image: %v", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	entry := manifest.Manifests[0]
	wantNames := map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": "v1"}
	if diff := cmp.Diff(wantNames, entry.Annotations); diff != "" {
		t.Errorf("names of the image (-want +got):\n%s", diff)
	}
	packed, err := index.Image(entry.Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := packed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{Entrypoint: []string{"/hello"}, User: "65532:65532", WorkingDir: "/", Labels: map[string]string{"app": "hello"}}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if config.OS != "linux" || config.Architecture != runtime.GOARCH {
		t.Errorf("platform %s/%s, want linux/%s", config.OS, config.Architecture, runtime.GOARCH)
	}
	files := mutate.Extract(packed)
	defer files.Close()
	header, err := tar.NewReader(files).Next()
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != "hello" || header.Mode != 0o755 || header.ModTime.Unix() != 0 {
		t.Errorf("file %s with mode %o of %v, want hello, 755, time zero", header.Name, header.Mode, header.ModTime)
	}
}

func TestAnImageHasItsBinaryWhereItIsLookedFor(t *testing.T) {
	const path = "/usr/local/bin/other"
	index := unpack(t, pack(t, image.Options{Binary: compile(t), Name: reference, Path: path}))
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := packed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(packed)
	defer files.Close()
	header, err := tar.NewReader(files).Next()
	if err != nil {
		t.Fatal(err)
	}
	if "/"+header.Name != path || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != path {
		t.Errorf("file %s is started by %q, want %s", header.Name, config.Config.Entrypoint, path)
	}
}

func TestWhatCanNotRunInAnImageIsRefused(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ sentence, binary, name, want string }{
		{"a dynamically linked binary", dynamic(t), reference, "build it with CGO_ENABLED=0"},
		{"a script", script, reference, "not a Linux executable"},
		{"a file that does not exist", script + ".missing", reference, "no such file"},
		{"a name without tag", script, "registry.example/osm/hello", "registry/repository:tag"},
		{"a name without registry", script, "hello:v1", "registry/repository:tag"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "image.tar")
			err := image.PackFile(out, image.Options{Binary: tc.binary, Name: tc.name})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that says %q", err, tc.want)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) != 0 {
				t.Errorf("a refused image left %v", left)
			}
		})
	}
}

func TestBinariesForTwoPlatformsAreOneImageOfBoth(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	o := image.Options{Binary: compile(t), Others: []string{relabelled(t, other)}, Name: reference, Labels: map[string]string{"app": "hello"}}
	archive := pack(t, o)
	if !bytes.Equal(archive, pack(t, o)) {
		t.Error("the same binaries gave other bytes")
	}
	layout := unpack(t, archive)
	if err := validate.Index(layout, validate.Fast); err != nil {
		t.Fatalf("the archive is not a valid image: %v", err)
	}
	manifest, err := layout.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Annotations["io.containerd.image.name"] != reference {
		t.Fatalf("the archive names %v", manifest.Manifests)
	}
	both, err := layout.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	all, err := both.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if all.Annotations["app"] != "hello" {
		t.Errorf("annotations %v", all.Annotations)
	}
	var platforms []string
	for _, entry := range all.Manifests {
		platforms = append(platforms, entry.Platform.String())
		one, err := both.Image(entry.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := one.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != entry.Platform.Architecture {
			t.Errorf("the image of %s is for %s", entry.Platform, config.Architecture)
		}
	}
	if want := []string{"linux/" + runtime.GOARCH, "linux/" + other}; !slices.Equal(platforms, want) {
		t.Errorf("platforms %q, want %q", platforms, want)
	}
}

func TestTwoBinariesForOnePlatformAreRefused(t *testing.T) {
	hello := compile(t)
	err := image.Pack(io.Discard, image.Options{Binary: hello, Others: []string{hello}, Name: reference})
	if err == nil || !strings.Contains(err.Error(), "another one for linux/"+runtime.GOARCH) {
		t.Errorf("error %v", err)
	}
}

// relabelled is a static program whose header says that it is for that architecture. To build one takes long.
func relabelled(t *testing.T, arch string) string {
	t.Helper()
	content, err := os.ReadFile(compile(t))
	if err != nil {
		t.Fatal(err)
	}
	const machine = 18 // of the header, e_machine
	binary.LittleEndian.PutUint16(content[machine:], uint16(map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]))
	path := filepath.Join(t.TempDir(), "hello")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// compile builds the smallest static program.
func compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "hello")
	build := exec.Command("go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// dynamic is a dynamically linked executable that every Linux machine with a shell has.
func dynamic(t *testing.T) string {
	t.Helper()
	path, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func pack(t *testing.T, o image.Options) []byte {
	t.Helper()
	var archive bytes.Buffer
	if err := image.Pack(&archive, o); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func unpack(t *testing.T, archive []byte) v1.ImageIndex {
	t.Helper()
	dir := t.TempDir()
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	return index
}
