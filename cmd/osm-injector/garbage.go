package main

import (
	"os"
	"runtime/debug"
)

const (
	// gcPercent has the heap grow to ten times of what is in use, a few
	// megabytes, before it is collected. An admission leaves 100 kB of garbage,
	// and those under way wait for whatever a collection takes of the CPU.
	gcPercent = 900
	// memoryLimit, in bytes, is where it is collected in any case: below the 128 MB
	// that the chart gives the container. GOMEMLIMIT in the environment goes
	// before it.
	memoryLimit = 100 << 20
)

// collectLate trades memory for the time of an admission.
func collectLate() {
	debug.SetGCPercent(gcPercent)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
