// Command osm-controller issues the mesh's service certificates, delivers them
// to sidecars over SDS, publishes the roots that are trusted, and validates the
// mesh's configuration.
package main

import "github.com/osm-edge/osm/cmd/internal/component"

const name = "osm-controller"

func main() { component.Main(name, run) }
