package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findBinaries makes the paths of the images independent of the working directory.
func findBinaries(images map[string]string) (map[string]string, error) {
	found := map[string]string{}
	for image, path := range images {
		if repository(image) != image {
			return nil, fmt.Errorf("image %s: leave out the tag: its processes are the same for every tag", image)
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", image, err)
		}
		if _, err := os.Stat(absolute); err != nil {
			return nil, fmt.Errorf("image %s: %w", image, err)
		}
		found[image] = absolute
	}
	return found, nil
}

// repository is the image's name without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}
