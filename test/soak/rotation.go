package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// rotate has another root sign, and waits until every proxy has a certificate of it.
func (s *soak) rotate(ctx context.Context, trigger string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.size.rotation, fmt.Errorf("not done after %s", s.size.rotation))
	defer cancel()
	began, before := time.Now(), s.tally.snapshot()
	root, err := triggers[trigger](s, ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", trigger, err)
	}
	if err := s.awaitRoot(ctx, root); err != nil {
		return fmt.Errorf("%s: %w", trigger, err)
	}
	took := time.Since(began)
	s.tally.rotated(took)
	fmt.Printf("%-42s root %s signs for all after %5.1f s; meanwhile %s\n", trigger, keyName(root.SubjectKeyId), took.Seconds(), s.tally.snapshot().since(before))
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
		return len(missing) == 0 && s.pipysLeadTo(root), nil
	})
	if err != nil {
		return fmt.Errorf("%d proxies are not of root %s: %w\n  %s", len(missing), keyName(root.SubjectKeyId), context.Cause(ctx), names(missing))
	}
	return nil
}
