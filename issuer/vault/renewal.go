package vault

import (
	"context"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// run keeps the login fresh until ctx ends. Who asks for a certificate would
// notice an ended token too, but only then.
func (s *session) run(ctx context.Context) {
	retry := firstRetry
	var spent *login
	for ctx.Err() == nil {
		l, err := s.login(ctx)
		if err == nil && l != spent {
			s.keep(ctx, l)
			spent = l
		}
		if err == nil && ctx.Err() == nil {
			l, err = s.replace(ctx, l)
			select {
			case s.tried <- struct{}{}:
			default:
			}
		}
		if err == nil && (spent == nil || l.auth.ClientToken != spent.auth.ClientToken) {
			retry = firstRetry
			continue
		}
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("cannot log in to Vault; will try again", "error", err)
		}
		s.pause(ctx, retry)
		retry = min(2*retry, lastRetry)
	}
}

// keep renews the token of a login, and returns when another is needed: that
// one has nearly ended, there is a newer one, or another caller has logged in anew.
func (s *session) keep(ctx context.Context, l *login) {
	renewed, ended, stop := s.watch(l)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.credentials.Changed():
			return
		case <-s.replaced:
			if s.current.Load() != l {
				return
			}
		case <-renewed:
			s.logger.Debug("renewed the token for Vault")
		case <-ended:
			return
		}
	}
}

// watch renews a token that has an end. It leaves the others alone: ended never
// receives for them.
func (s *session) watch(l *login) (renewed <-chan *api.RenewOutput, ended <-chan struct{}, stop func()) {
	nothing := func() {}
	if l.auth.LeaseDuration == 0 {
		return nil, nil, nothing
	}
	if !l.auth.Renewable {
		s.logger.Warn("the token for Vault cannot be renewed: another must be there before it ends",
			"end", time.Now().Add(time.Duration(l.auth.LeaseDuration)*time.Second).UTC())
	}
	watcher, err := l.client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: &api.Secret{Auth: l.auth}})
	if err != nil { // only ever for no secret
		s.logger.Error("cannot renew the token for Vault", "error", err)
		return nil, nil, nothing
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		watcher.Start()
	}()
	return watcher.RenewCh(), done, func() {
		watcher.Stop()
		<-done
	}
}

// pause ends early when the credentials have changed.
func (s *session) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.credentials.Changed():
	case <-ctx.Done():
	}
}
