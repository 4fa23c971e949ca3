package injector

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
)

// operation is one of a JSON Patch (RFC 6902).
type operation = jsonpatch.Operation

func add(path string, value any) operation {
	return operation{Operation: "add", Path: path, Value: value}
}

// entriesPatch adds entries to those that are there. "add" of a whole map is
// right for one that is absent, null or empty, and of one entry for no other:
// its parent must exist (RFC 6902 section 4.1).
func entriesPatch(path string, there, entries map[string]string) []operation {
	if len(entries) == 0 {
		return nil
	}
	if len(there) == 0 {
		return []operation{add(path, entries)}
	}
	var operations []operation
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		operations = append(operations, add(path+"/"+escape(key), entries[key]))
	}
	return operations
}

// listPatch adds items to a list of so many: first before them, last behind.
func listPatch[T any](path string, there int, first, last []T) []operation {
	items := slices.Concat(first, last)
	if there == 0 && len(items) > 0 {
		return []operation{add(path, items)}
	}
	var operations []operation
	for i, item := range first {
		operations = append(operations, add(path+"/"+strconv.Itoa(i), item))
	}
	for _, item := range last {
		operations = append(operations, add(path+"/-", item))
	}
	return operations
}

// escape makes key a token of a JSON pointer (RFC 6901 section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
