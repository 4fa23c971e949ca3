package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of everything in an archive, so that packing again gives the same bytes.
var epoch = time.Unix(0, 0).UTC()

// fileLayer is a layer that holds one executable. It isn't compressed: archives stay on the machine, and
// compressed bytes would change with the compressor's version.
func fileLayer(name string, content []byte) (v1.Layer, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := writeFile(w, name, 0o755, content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer), nil
}

// writeArchive writes an OCI image layout (OCI image-spec, image-layout.md) as a tar, in sorted order. Its index names
// one image, or one image index of the images of several platforms.
func writeArchive(w io.Writer, images []mutate.IndexAddendum, annotations, names map[string]string) error {
	files := map[string][]byte{}
	for _, image := range images {
		if err := addBlobs(files, image.Add.(v1.Image)); err != nil {
			return err
		}
	}
	named := images[0]
	if len(images) > 1 {
		all := mutate.AppendManifests(newIndex(), images...)
		all = mutate.Annotations(all, annotations).(v1.ImageIndex)
		manifest, err := all.RawManifest()
		if err != nil {
			return err
		}
		if err := addBlob(files, manifest); err != nil {
			return err
		}
		named = mutate.IndexAddendum{Add: all}
	}
	named.Annotations = names
	var err error
	if files["index.json"], err = mutate.AppendManifests(newIndex(), named).RawManifest(); err != nil {
		return err
	}
	if files["oci-layout"], err = json.Marshal(map[string]string{"imageLayoutVersion": "1.0.0"}); err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(archive, name, 0o644, files[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}

func newIndex() v1.ImageIndex { return mutate.IndexMediaType(empty.Index, types.OCIImageIndex) }

// addBlobs adds the image's manifest, configuration and layers by their path in the layout.
func addBlobs(files map[string][]byte, image v1.Image) error {
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return err
	}
	contents := [][]byte{manifest, config}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		r, err := layer.Compressed()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		contents = append(contents, content)
	}
	for _, content := range contents {
		if err := addBlob(files, content); err != nil {
			return err
		}
	}
	return nil
}

func addBlob(files map[string][]byte, content []byte) error {
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return err
	}
	files["blobs/"+digest.Algorithm+"/"+digest.Hex] = content
	return nil
}

func writeFile(w *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("archive %s: %w", name, err)
	}
	return nil
}
