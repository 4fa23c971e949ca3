package convert

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Field returns the path that a field of v1 has in v1alpha2, for those who
// wrote the latter. Fields that are in v1 alone keep theirs.
func Field(kind, path string) string {
	for _, m := range kinds()[kind].moves {
		to := strings.Join(m.to.path, ".")
		if rest, ok := strings.CutPrefix(path, to); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return strings.Join(m.from.path, ".") + rest
		}
	}
	return path
}

// Misfits returns the paths of the fields of a v1alpha2 object whose value has
// no counterpart in v1, so that the mesh will not heed them.
func Misfits(object *unstructured.Unstructured) []string {
	var paths []string
	for _, m := range kinds()[object.GetKind()].moves {
		value, ok := m.from.get(object.Object)
		if !ok || value == "" {
			continue
		}
		if _, fits := m.forward(value); !fits {
			paths = append(paths, strings.Join(m.from.path, "."))
		}
	}
	slices.Sort(paths)
	return paths
}
