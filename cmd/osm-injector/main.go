// Command osm-injector answers the API server's admission requests: it gives
// the pods of the mesh their sidecar.
package main

import "github.com/osm-edge/osm/cmd/internal/component"

const name = "osm-injector"

func main() { component.Main(name, run) }
