package sidecar

import "testing"

// TestFewPortsAreCountedApart has peers call more ports than applications have.
func TestFewPortsAreCountedApart(t *testing.T) {
	var u undeclared
	for range 2 {
		for port := range uint16(maxUndeclared + 6) {
			u.add(8000 + port)
		}
	}
	counts := u.counted()
	if len(counts) != maxUndeclared+1 || counts["8000"] != 2 || counts["8063"] != 2 || counts[otherPorts] != 12 {
		t.Errorf("%d counts: %v", len(counts), counts)
	}
}
