package injector

import (
	"maps"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// patch returns the JSON Patch (RFC 6902) from before to after, which is
// before with what mutate adds. It looks at the few places that mutate writes,
// since encoding and comparing whole pods costs many times the rest of an
// admission, and says nothing about fields that this version of the API does
// not know, so they stay.
func patch(before, after *corev1.Pod) []jsonpatch.Operation {
	return slices.Concat(
		entriesPatch("/metadata/labels", before.Labels, after.Labels),
		entriesPatch("/metadata/annotations", before.Annotations, after.Annotations),
		appendPatch("/spec/volumes", before.Spec.Volumes, after.Spec.Volumes),
		appendPatch("/spec/containers", before.Spec.Containers, after.Spec.Containers),
	)
}

// entriesPatch adds the entries that are new or changed in after. "add" of a
// whole map is right for one that is absent, null or empty, and of one entry
// for no other: its parent must exist (RFC 6902 section 4.1).
func entriesPatch(path string, before, after map[string]string) []jsonpatch.Operation {
	if len(before) == 0 && len(after) > 0 {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", path, after)}
	}
	var operations []jsonpatch.Operation
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if old, had := before[key]; !had || old != after[key] {
			operations = append(operations, jsonpatch.NewOperation("add", path+"/"+escape(key), after[key]))
		}
	}
	return operations
}

// appendPatch adds the items of after that follow those of before.
func appendPatch[T any](path string, before, after []T) []jsonpatch.Operation {
	if len(before) == 0 && len(after) > 0 {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", path, after)}
	}
	var operations []jsonpatch.Operation
	for _, item := range after[len(before):] {
		operations = append(operations, jsonpatch.NewOperation("add", path+"/-", item))
	}
	return operations
}

// escape makes key a token of a JSON pointer (RFC 6901 section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
