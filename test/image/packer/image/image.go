// Package image packs one static binary as an OCI image archive, without a container engine: the images of the mesh's
// own components and of the tests are made with it and imported with `ctr images import`, `docker load` or the like.
// The same binary and options give the same bytes. It knows nothing of registries, of base images or of the mesh.
package image

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is the uid and gid that a packed binary runs as: "nonroot" of the distroless images, which no host gives to a person.
const User = "65532:65532"

// Options says what to pack.
type Options struct {
	Binary string            // path of a statically linked ELF executable, the image's entrypoint
	Others []string          // paths of the same for other platforms; the archive then holds an image index of all
	Path   string            // where the image has it; by default at the root, under its base name
	Name   string            // full reference with registry and tag, e.g. registry.example/osm/osm-injector:v1.2.3
	Labels map[string]string // labels of the image's configuration, and annotations of what it is named by; none by default
	Beside map[string]string // paths of further static executables, by where the image has them; none by default
}

// Pack writes the image to w. It refuses a binary that needs a dynamic linker, two for one platform, and a name without
// registry or tag.
func Pack(w io.Writer, o Options) error {
	tag, err := name.NewTag(o.Name, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("image name %q: want registry/repository:tag: %w", o.Name, err)
	}
	if o.Path == "" {
		o.Path = "/" + filepath.Base(o.Binary)
	}
	var images []mutate.IndexAddendum
	for _, binary := range append([]string{o.Binary}, o.Others...) {
		image, err := packOne(binary, o)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(images, func(other mutate.IndexAddendum) bool { return other.Platform.Equals(*image.Platform) }) {
			return fmt.Errorf("binary %s: there is another one for %s already", binary, image.Platform)
		}
		images = append(images, image)
	}
	names := map[string]string{"io.containerd.image.name": o.Name, "org.opencontainers.image.ref.name": tag.TagStr()}
	if err := writeArchive(w, images, o.Labels, names); err != nil {
		return fmt.Errorf("write image %s: %w", o.Name, err)
	}
	return nil
}

// packOne makes the image of one platform.
func packOne(binary string, o Options) (mutate.IndexAddendum, error) {
	content, platform, err := readStatic(binary)
	if err != nil {
		return mutate.IndexAddendum{}, err
	}
	image, err := build(o.Path, content, platform, o.Labels)
	if err != nil {
		return mutate.IndexAddendum{}, fmt.Errorf("pack %s: %w", binary, err)
	}
	if image, err = addBeside(image, platform, o.Beside); err != nil {
		return mutate.IndexAddendum{}, fmt.Errorf("pack %s: %w", binary, err)
	}
	return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}}, nil
}

// PackFile is Pack into a file, which is complete or absent.
func PackFile(path string, o Options) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("pack %s: %w", o.Binary, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(Pack(f, o), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func build(path string, content []byte, platform v1.Platform, labels map[string]string) (v1.Image, error) {
	layer, err := fileLayer(strings.TrimPrefix(path, "/"), content)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: platform.Architecture,
		OS:           platform.OS,
		Created:      v1.Time{Time: epoch},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: []string{path},
			User:       User,
			WorkingDir: "/",
			Labels:     labels,
		},
	})
	if err != nil {
		return nil, err
	}
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "osm test/image"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, labels).(v1.Image), nil
}
