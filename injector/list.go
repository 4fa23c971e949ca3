package injector

import (
	"fmt"
	"strings"
)

const (
	// maxEntries is how much a list of ports or ranges may hold. With a
	// mesh-wide list and a pod's own, both full, of the longest entries, what
	// osm-init is told stays within what it reads.
	maxEntries = 256
	// maxListBytes leaves every entry 64 bytes, blanks included: the longest
	// range has 43.
	maxListBytes = maxEntries * 64
)

// entries splits a comma-separated list. Blanks around entries do not count,
// and a list of nothing else is empty.
func entries(list string) ([]string, error) {
	if len(list) > maxListBytes {
		return nil, fmt.Errorf("a list of %d bytes: at most %d are taken: shorten it", len(list), maxListBytes)
	}
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	split := strings.Split(list, ",")
	if err := checkCount(len(split)); err != nil {
		return nil, err
	}
	for i := range split {
		split[i] = strings.TrimSpace(split[i])
	}
	return split, nil
}

func checkCount(entries int) error {
	if entries > maxEntries {
		return fmt.Errorf("a list of %d entries: at most %d are taken: shorten it", entries, maxEntries)
	}
	return nil
}
