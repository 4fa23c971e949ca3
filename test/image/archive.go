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

// writeArchive writes an OCI image layout (OCI image-spec, image-layout.md) of one image as a tar, in sorted order.
func writeArchive(w io.Writer, image v1.Image, entry mutate.IndexAddendum) error {
	files, err := blobs(image)
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), entry)
	if files["index.json"], err = index.RawManifest(); err != nil {
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

// blobs are the image's manifest, configuration and layers by their path in the layout.
func blobs(image v1.Image) (map[string][]byte, error) {
	manifest, err := image.RawManifest()
	if err != nil {
		return nil, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	contents := [][]byte{manifest, config}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		r, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	files := map[string][]byte{}
	for _, content := range contents {
		digest, _, err := v1.SHA256(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		files["blobs/"+digest.Algorithm+"/"+digest.Hex] = content
	}
	return files, nil
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
