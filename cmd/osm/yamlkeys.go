package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// keysOnce refuses a YAML document that has a key twice in one mapping (YAML 1.2
// section 3.2.1.3), for one of the values would be lost without a word. A key
// beside one that is merged (<<) overrides it, which is what merging is for.
func keysOnce(document []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return err
	}
	return errors.Join(keysTwice(&root)...)
}

// oneDocument refuses a second YAML document that says something.
func oneDocument(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for first := 0; ; {
		var root yaml.Node
		err := decoder.Decode(&root)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null":
		case first > 0:
			return fmt.Errorf("line %d: another document begins, after that of line %d: give each a file of its own", root.Content[0].Line, first)
		default:
			first = root.Content[0].Line
		}
	}
}

// keysTwice returns a problem for each. What an alias stands for is looked at
// where it is written.
func keysTwice(node *yaml.Node) (problems []error) {
	first := map[string]int{}
	for i, child := range node.Content {
		problems = append(problems, keysTwice(child)...)
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		if !isKey || child.Kind != yaml.ScalarNode || child.ShortTag() == "!!merge" {
			continue
		}
		// As JSON has it, 1 and "1" are one key.
		if line, has := first[child.Value]; has {
			problems = append(problems, fmt.Errorf("line %d: key %q is there already, in line %d: remove one of them", child.Line, child.Value, line))
			continue
		}
		first[child.Value] = child.Line
	}
	return problems
}
