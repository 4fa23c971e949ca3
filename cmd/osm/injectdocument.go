package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// document is one of those that a file consists of.
type document struct {
	source string         // the file and which of its documents, for messages
	raw    []byte         // as it was given
	isJSON bool           // not YAML
	object map[string]any // a Kubernetes object, nil if there are comments only
}

// readDocuments splits YAML at its separators, and takes JSON objects one after
// the other.
func readDocuments(file string, in io.Reader) ([]document, error) {
	var documents []document
	text, err := withoutMark(in)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	reader := utilyaml.NewYAMLReader(text)
	for {
		chunk, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, d := range split(chunk) {
			d.source = fmt.Sprintf("%s, document %d", file, len(documents)+1)
			if err := d.decode(); err != nil {
				return nil, fmt.Errorf("%s: %w", d.source, err)
			}
			documents = append(documents, d)
		}
	}
}

// withoutMark leaves out the byte order mark that editors of Windows put before
// UTF-8. To JSON it is a mistake (RFC 8259 section 8.1).
func withoutMark(in io.Reader) (*bufio.Reader, error) {
	const mark = "\ufeff"
	text := bufio.NewReader(in)
	start, err := text.Peek(len(mark))
	if string(start) == mark {
		_, err = text.Discard(len(mark))
	}
	if errors.Is(err, io.EOF) {
		err = nil // it is shorter
	}
	return text, err
}

// split takes a YAML document, which may be any number of JSON objects.
func split(chunk []byte) []document {
	if len(bytes.TrimSpace(chunk)) == 0 {
		return nil
	}
	var objects []document
	for decoder := json.NewDecoder(bytes.NewReader(chunk)); ; {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil || raw[0] != '{' {
			return []document{{raw: chunk}}
		}
		objects = append(objects, document{raw: raw, isJSON: true})
	}
}

func (d *document) decode() error {
	var err error
	if d.isJSON {
		err = d.decodeJSON()
	} else {
		err = d.decodeYAML()
	}
	if err != nil || d.object == nil {
		return err
	}
	return hasKind(d.object)
}

func (d *document) decodeJSON() error {
	twice, err := kjson.UnmarshalStrict(d.raw, &d.object)
	return errors.Join(append(twice, err)...)
}

// decodeYAML reads what kubectl reads, by the same library, but refuses keys that
// are there twice. That library's own way to do so takes what overrides a merged
// key for one.
func (d *document) decodeYAML() error {
	data, err := yaml.YAMLToJSON(d.raw)
	if err == nil {
		err = keysOnce(d.raw)
	}
	if err != nil {
		return err
	}
	if err := utiljson.Unmarshal(data, &d.object); err != nil {
		return fmt.Errorf("it is not an object: %w", err)
	}
	return nil
}

func hasKind(object map[string]any) error {
	for _, field := range []string{"apiVersion", "kind"} {
		if value, _ := object[field].(string); value == "" {
			return fmt.Errorf("%s: missing: want an object of Kubernetes", field)
		}
	}
	return nil
}

// encode replaces what was given by the object.
func (d *document) encode() error {
	if !d.isJSON {
		data, err := yaml.Marshal(d.object)
		d.raw = data
		return err
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	err := encoder.Encode(d.object)
	d.raw = b.Bytes()
	return err
}

// join puts documents together again. JSON objects follow each other, which
// readers of JSON know; what is YAML is set apart.
func join(documents []document) []byte {
	var b bytes.Buffer
	for i, d := range documents {
		if i > 0 && (!d.isJSON || !documents[i-1].isJSON) {
			b.WriteString("---\n")
		}
		b.Write(d.raw)
		if !bytes.HasSuffix(d.raw, []byte("\n")) {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

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
