// Command osm-bootstrap gives a mesh its root certificate, the serving
// certificates of its webhooks and the caBundles that belong to them, keeps
// them right, and converts the mesh's custom resources.
package main

import "github.com/osm-edge/osm/cmd/internal/component"

const name = "osm-bootstrap"

func main() { component.Main(name, run) }
