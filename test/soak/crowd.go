package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// crowd is the proxies that take part.
type crowd struct {
	mu      sync.Mutex
	members []*proxy
}

func (c *crowd) add(p *proxy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, p)
}

// take removes one at random; none, if that is mute.
func (c *crowd) take() *proxy {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := rand.IntN(len(c.members))
	p := c.members[i]
	if p.mute {
		return nil
	}
	c.members = slices.Delete(c.members, i, i+1)
	return p
}

func (c *crowd) remove(p *proxy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(c.members, func(other *proxy) bool { return other == p })
}

// pair returns two at random.
func (c *crowd) pair() (client, server *proxy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, j := rand.IntN(len(c.members)), rand.IntN(len(c.members)-1)
	if j >= i {
		j++
	}
	return c.members[i], c.members[j]
}

func (c *crowd) all() []*proxy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// names says who they are, to show while they are awaited.
func names(proxies []*proxy) string {
	var all []string
	for _, p := range proxies {
		all = append(all, p.now().String())
	}
	return strings.Join(all, "\n  ")
}
