//go:build hostile

// Package controlplane attacks the mesh's components as any pod can that
// reaches their ports, and as who answers in Vault's place can.
package controlplane

import (
	"os"
	"testing"

	"github.com/osm-edge/osm/test/attack"
)

func TestMain(m *testing.M) {
	os.Exit(attack.Main(m.Run))
}
