package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// lifetime is that of service certificates.
const lifetime = 5 * time.Minute

// calm leaves everything alone until certificates are renewed by themselves,
// which is due after two thirds of their life at the latest.
func (s *soak) calm(ctx context.Context) error {
	if s.size.calm == 0 {
		return nil
	}
	before := map[*proxy]*tls.Certificate{}
	for _, p := range s.crowd.all() {
		before[p] = p.now().certificate
	}
	counted := s.tally.snapshot()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(s.size.calm):
	}
	renewed := 0
	for p, old := range before {
		if p.now().certificate != old {
			renewed++
		}
	}
	fmt.Printf("nothing is replaced for %s: %d of %d proxies have newer certificates; meanwhile %s\n",
		s.size.calm, renewed, len(before), s.tally.snapshot().since(counted))
	if renewed < len(before) {
		return fmt.Errorf("the certificates of %d proxies were not renewed", len(before)-renewed)
	}
	return nil
}
