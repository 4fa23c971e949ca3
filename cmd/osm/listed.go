package main

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// each calls do with an object, or with those of a list, of whatever kind. It
// goes on after an error, and returns all of them with their source.
func each(source string, object map[string]any, do func(*unstructured.Unstructured) error) error {
	if object == nil {
		return nil // a document of comments
	}
	u := &unstructured.Unstructured{Object: object}
	if !isList(u) {
		if err := do(u); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		return nil
	}
	items, ok := object["items"].([]any)
	if !ok && object["items"] != nil {
		return fmt.Errorf("%s: items: want a list", source)
	}
	var problems []error
	for n, item := range items {
		source := fmt.Sprintf("%s, items[%d]", source, n)
		object, ok := item.(map[string]any)
		if !ok {
			problems = append(problems, fmt.Errorf("%s: want an object of Kubernetes", source))
			continue
		}
		problems = append(problems, eachOf(u, source, object, do))
	}
	return errors.Join(problems...)
}

// eachOf calls do with an item of a list. Those of a list such as PodList do not
// say what they are (API conventions, "Lists and Simple kinds").
func eachOf(list *unstructured.Unstructured, source string, item map[string]any, do func(*unstructured.Unstructured) error) error {
	if kind := strings.TrimSuffix(list.GetKind(), "List"); kind != "" && item["kind"] == nil && item["apiVersion"] == nil {
		item["apiVersion"], item["kind"] = list.GetAPIVersion(), kind
		defer func() { delete(item, "apiVersion"); delete(item, "kind") }()
	}
	if err := hasKind(item); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return each(source, item, do)
}

// isList tells a List, and one of a kind of its own, from a kind that is named so.
func isList(u *unstructured.Unstructured) bool {
	_, listed := u.Object["items"].([]any)
	return u.GroupVersionKind().GroupKind().String() == "List" || listed && strings.HasSuffix(u.GetKind(), "List")
}
