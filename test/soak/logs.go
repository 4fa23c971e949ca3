package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
)

// keepLogs copies what the mesh's programs have said to a directory that stays.
func keepLogs(c *cluster.Cluster) error {
	dir, err := os.MkdirTemp("", "osm-soak")
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, "logs"), os.DirFS(filepath.Join(c.LogDir(), "pods", mesh.Namespace))); err != nil {
		return err
	}
	fmt.Println("the logs of the mesh are in", dir)
	return nil
}
