//go:build e2e

package cluster_test

import (
	"os"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/cluster"
)

func TestFullNodeTrial(t *testing.T) {
	start := time.Now()
	n, err := cluster.StartNode(t.Context(), cluster.NodeOptions{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("ready after", time.Since(start))
	start = time.Now()
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Log("stopped after", time.Since(start))
}
