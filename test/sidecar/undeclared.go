package sidecar

import (
	"maps"
	"strconv"
	"sync"
)

// maxUndeclared is how many ports are counted apart, because peers choose them,
// and otherPorts stands for the rest.
const (
	maxUndeclared = 64
	otherPorts    = "other"
)

// undeclared counts, by port, the connections with HTTP to ports that are not
// declared HTTP.
type undeclared struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (u *undeclared) add(port uint16) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.counts == nil {
		u.counts = map[string]int64{}
	}
	label := strconv.Itoa(int(port))
	if u.counts[label] == 0 && len(u.counts) >= maxUndeclared {
		label = otherPorts
	}
	u.counts[label]++
}

func (u *undeclared) counted() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.counts)
}
