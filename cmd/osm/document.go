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
	reader := utilyaml.NewYAMLReader(bufio.NewReader(in))
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
	data, err := yaml.YAMLToJSONStrict(d.raw) // of which JSON is a part
	if err != nil {
		return err
	}
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	if err := utiljson.Unmarshal(data, &d.object); err != nil {
		return fmt.Errorf("it is not an object: %w", err)
	}
	for _, field := range []string{"apiVersion", "kind"} {
		if value, _ := d.object[field].(string); value == "" {
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
// whoever reads JSON knows; what is YAML is set apart.
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
