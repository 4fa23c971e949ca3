package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// addBeside adds a layer with the executables, and with a /tmp that any user may write to, which programs with helpers want.
func addBeside(image v1.Image, platform v1.Platform, beside map[string]string) (v1.Image, error) {
	if len(beside) == 0 {
		return image, nil
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, ModTime: epoch}); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(beside)) {
		content, its, err := readStatic(beside[path])
		if err != nil {
			return nil, err
		}
		if its.Architecture != platform.Architecture {
			return nil, fmt.Errorf("binary %s is for %s, and the image for %s", beside[path], its.Architecture, platform.Architecture)
		}
		if err := writeFile(w, strings.TrimPrefix(path, "/"), 0o755, content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer:   static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer),
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "osm test/image"},
	})
}
