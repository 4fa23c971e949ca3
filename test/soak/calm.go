package main

import (
	"context"
	"crypto/tls"
	"errors"
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
	stayed, renewed := 0, 0
	for _, p := range s.crowd.all() {
		if old, ok := before[p]; ok {
			stayed++
			if p.now().certificate != old {
				renewed++
			}
		}
	}
	fmt.Printf("nothing is replaced for %s: %d of %d proxies that stayed have newer certificates; meanwhile %s\n",
		s.size.calm, renewed, stayed, s.tally.snapshot().since(counted))
	if renewed == 0 {
		return errors.New("no certificate was renewed")
	}
	return nil
}
