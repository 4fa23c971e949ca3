//go:build hostile

// Package network attacks a pod from a second network namespace, past its
// sidecar and through it.
package network

import (
	"os"
	"testing"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/netns"
)

func TestMain(m *testing.M) {
	os.Exit(netns.Run(func() int { return attack.Main(m.Run) }))
}
