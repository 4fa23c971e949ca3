// Command osm-init is the init container of an injected pod that makes the
// kernel lead the pod's connections to its sidecar. Its argument is an
// interception.Config as JSON. It ends well only if the rules are in place.
//
// It runs in every pod of the mesh, with a capability, so it must not
// import the packages that Kubernetes' clients bring.
package main

import (
	"log/slog"
	"os"
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("component", "osm-init")
	if err := run(logger, os.Args[1:]); err != nil {
		logger.Error("connections are not led to the sidecar", "error", err)
		os.Exit(1)
	}
}
