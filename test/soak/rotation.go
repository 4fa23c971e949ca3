package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// quietHalf rotates by each trigger until there were enough handshakes, and
// nothing else happens.
func (s *soak) quietHalf(ctx context.Context) error {
	for i := 0; i < len(s.size.quiet) || s.tally.handshakes.Load() < s.size.handshakes; i++ {
		if err := s.rotate(ctx, s.size.quiet[i%len(s.size.quiet)]); err != nil {
			return err
		}
	}
	return nil
}

// rotate has another root sign, and waits until every proxy has a certificate of it.
func (s *soak) rotate(ctx context.Context, trigger string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.size.rotation, fmt.Errorf("not done after %s", s.size.rotation))
	defer cancel()
	began, handshakes, failures := time.Now(), s.tally.handshakes.Load(), s.tally.failures.Load()
	root, err := triggers[trigger](s, ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", trigger, err)
	}
	if err := s.awaitRoot(ctx, root); err != nil {
		return fmt.Errorf("%s: %w", trigger, err)
	}
	took := time.Since(began)
	s.root = root
	s.tally.rotated(took)
	fmt.Printf("%-42s root %s signs for all after %5.1f s; %d handshakes meanwhile, %d failed\n", trigger,
		keyName(root.SubjectKeyId), took.Seconds(), s.tally.handshakes.Load()-handshakes, s.tally.failures.Load()-failures)
	return nil
}

// awaitRoot waits until every proxy has a certificate of the root.
func (s *soak) awaitRoot(ctx context.Context, root *x509.Certificate) error {
	var missing []*proxy
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		missing = nil
		for _, p := range s.crowd.all() {
			if !p.mute && !p.now().leadsTo(root) {
				missing = append(missing, p)
			}
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%d proxies are not of root %s: %w\n  %s", len(missing), keyName(root.SubjectKeyId), context.Cause(ctx), names(missing))
	}
	return nil
}
