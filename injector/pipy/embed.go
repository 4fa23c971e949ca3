// Package pipy owns the scripts that make a sidecar of Pipy: they get its
// certificate over SDS, end and begin mutual TLS, and answer probes. What they
// are told at their start is one file, /var/run/osm/bootstrap.json.
//
// The package hands them out with the name that they are published under. Who
// publishes them, and the Kubernetes objects that takes, it does not know.
package pipy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

//go:embed *.js
var scripts embed.FS

// Scripts are the contents of the scripts by file name. Pipy is started with
// main.js, which imports the others.
func Scripts() map[string]string {
	entries, err := scripts.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("pipy: the embedded scripts: %v", err)) // embedded: cannot be missing
	}
	contents := make(map[string]string, len(entries))
	for _, entry := range entries {
		content, err := scripts.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Sprintf("pipy: embedded script %s: %v", entry.Name(), err)) // as above
		}
		contents[entry.Name()] = string(content)
	}
	return contents
}

// ConfigMapName is the name of the ConfigMap that holds Scripts. It changes
// with their names and contents: the scripts of a pod that runs never change
// below it, and an upgrade publishes beside them.
func ConfigMapName() string {
	contents := Scripts()
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		// The lengths keep apart what would be the same run together.
		fmt.Fprintf(hash, "%d %s %d %s", len(name), name, len(contents[name]), contents[name])
	}
	return "osm-sidecar-" + hex.EncodeToString(hash.Sum(nil))[:12]
}
