package convert

import (
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

// Misfit is a field of v1alpha2 whose value has no counterpart in v1, so that
// the mesh would ignore it.
type Misfit struct {
	Path string
	// Want is what to write instead.
	Want string
}

// Misfits returns the misfits of a v1alpha2 object.
func Misfits(object *unstructured.Unstructured) (misfits []Misfit) {
	known := kinds()[object.GetKind()]
	for _, m := range known.moves {
		value, ok := m.from.get(object.Object)
		if !ok || value == "" {
			continue
		}
		if _, fits := m.forward(value); !fits {
			misfits = append(misfits, Misfit{strings.Join(m.from.path, "."), m.want})
		}
	}
	for _, reference := range known.references {
		path := child(reference, "namespace")
		if namespace, ok := get(object.Object, path); ok && namespace != object.GetNamespace() {
			misfits = append(misfits, Misfit{strings.Join(path, "."), object.GetNamespace() + ", the namespace of the object itself"})
		}
	}
	return misfits
}
