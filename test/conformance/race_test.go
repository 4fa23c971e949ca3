//go:build race

package conformance

func init() { mostGrowth *= 4 } // the race detector has memory of its own for all that is used
