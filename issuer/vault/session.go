package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/hashicorp/vault/api"
)

// ErrDenied is what Vault says to a token that may not, or that it does not
// know, or no longer.
var ErrDenied = errors.New("permission denied")

// session is who we are to Vault, at any time one login.
type session struct {
	credentials Credentials
	connect     func(token string) (*api.Client, error)
	server      server
	logger      *slog.Logger

	turn     chan struct{} // holds one during a login
	current  atomic.Pointer[login]
	replaced chan struct{}         // one slot: current is another
	tried    chan struct{}         // one slot: run has tried to replace current, however that came out
	failure  atomic.Pointer[error] // why there is no other than the current one
}

// login is a client with its token.
type login struct {
	client *api.Client
	auth   *api.SecretAuth
	known  atomic.Bool // that it may look itself up
}

func newSession(c Credentials, connect func(string) (*api.Client, error), s server, logger *slog.Logger) *session {
	return &session{
		credentials: c, connect: connect, server: s, logger: logger,
		turn: make(chan struct{}, 1), replaced: make(chan struct{}, 1), tried: make(chan struct{}, 1),
	}
}

// ask asks Vault, and asks again with a new token if it denies this one.
func (s *session) ask(ctx context.Context, question func(*api.Client) (*api.Secret, error)) (*api.Secret, error) {
	l, err := s.login(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := question(l.client)
	if status(err) != http.StatusForbidden {
		return answer, s.server.explain(ctx, err)
	}
	next, failure := s.replace(ctx, l)
	if failure != nil {
		return nil, fmt.Errorf("%w; then %w", s.server.explain(ctx, err), failure)
	}
	if next.auth.ClientToken == l.auth.ClientToken {
		return nil, s.server.explain(ctx, err)
	}
	answer, err = question(next.client)
	return answer, s.server.explain(ctx, err)
}

// login returns the current one, and makes the first.
func (s *session) login(ctx context.Context) (*login, error) {
	if l := s.current.Load(); l != nil {
		return l, nil
	}
	return s.replace(ctx, nil)
}

// replace logs in anew, unless another caller has since the old one was current.
func (s *session) replace(ctx context.Context, old *login) (*login, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l := s.current.Load(); l != old {
		return l, nil
	}
	l, err := s.logIn(ctx)
	if err != nil {
		err = fmt.Errorf("log in: %w", s.server.explain(ctx, err))
		if ctx.Err() == nil {
			s.failure.Store(&err)
		}
		return nil, err
	}
	if old != nil && old.auth.ClientToken == l.auth.ClientToken {
		l.known.Store(old.known.Load())
	}
	s.failure.Store(nil)
	s.current.Store(l)
	select {
	case s.replaced <- struct{}{}:
	default:
	}
	return l, nil
}

func (s *session) logIn(ctx context.Context) (*login, error) {
	anonymous, err := s.connect("")
	if err != nil {
		return nil, err
	}
	auth, err := s.credentials.Login(ctx, anonymous)
	if err != nil {
		return nil, err
	}
	client, err := s.connect(auth.ClientToken)
	if err != nil {
		return nil, err
	}
	return &login{client: client, auth: auth}, nil
}
