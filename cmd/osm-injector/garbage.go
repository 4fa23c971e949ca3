package main

import (
	"runtime/debug"

	"github.com/osm-edge/osm/cmd/internal/component"
)

const (
	// gcPercent has the heap grow to ten times of what is in use, a few
	// megabytes, before it is collected. An admission leaves 100 kB of garbage,
	// and those under way wait for whatever a collection takes of the CPU.
	gcPercent = 900
	// memoryLimit, in bytes, is where it is collected in any case, where no limit of
	// a container tells: below the 128 MB that the chart gives it.
	memoryLimit = 80 << 20
)

// collectLate trades memory for the time of an admission.
func collectLate() {
	debug.SetGCPercent(gcPercent)
	component.LimitMemory(memoryLimit)
}
