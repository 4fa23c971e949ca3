package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
