package convert

// choose drops from kept what would be a second choice in target: another
// choice was made since it was kept.
func (k kind) choose(target, kept tree) {
	for _, path := range k.choices {
		made, ok := get(target, path)
		chosen, isObject := made.(tree)
		if !ok || !isObject {
			continue
		}
		others, _ := get(kept, path)
		for name := range toTree(others) {
			if _, has := chosen[name]; !has {
				remove(kept, child(path, name))
			}
		}
	}
}

// dropNamespace removes the namespaces that are the object's own.
func (k kind) dropNamespace(t tree, own string) {
	for _, reference := range k.references {
		path := child(reference, "namespace")
		if namespace, ok := get(t, path); ok && namespace == own && own != "" {
			remove(t, path)
		}
	}
}

// addNamespace adds the namespaces that were dropped. A namespace without a
// name was kept for a reference that is no more.
func (k kind) addNamespace(t tree, own string) {
	for _, reference := range k.references {
		value, _ := get(t, reference)
		fields := toTree(value)
		_, named := fields["name"]
		_, placed := fields["namespace"]
		switch {
		case fields != nil && !named:
			remove(t, reference)
		case named && !placed && own != "":
			fields["namespace"] = own
		}
	}
}

func toTree(value any) tree {
	t, _ := value.(tree)
	return t
}
