package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
)

// Standing is whether Vault would sign, and for how long.
type Standing struct {
	// Err is why it would not; nil as far as is known.
	Err error
	// Issuer is the certificate that the role signs with; nil if that is not known.
	Issuer *x509.Certificate
	// TokenEnds is when the token ends that was given, and cannot be renewed any
	// more; zero if that is not known.
	TokenEnds time.Time
	// Asked and Granted are the lifetime of certificates where Vault shortens it;
	// zero where it does not.
	Asked, Granted time.Duration
}

// RolePath returns the path of the role, as Vault has it.
func (ca *CA) RolePath() string { return ca.server.rolePath() }

func (s Standing) equal(other Standing) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return text(s.Err) == text(other.Err) && (s.Issuer == other.Issuer || s.Issuer != nil && s.Issuer.Equal(other.Issuer)) &&
		s.TokenEnds.Equal(other.TokenEnds) && s.Asked == other.Asked && s.Granted == other.Granted
}

// idle is for how many polls nothing is signed before a token has to prove itself
// that may not look itself up.
const idle = 10

// Inspect finds out what there is to know of the CA. It has nothing signed where
// the token, the role and its issuer can be looked at and nothing has failed.
func (ca *CA) Inspect(ctx context.Context) Standing {
	ends, known, err := ca.session.examine(ctx)
	s := Standing{Err: err}
	if _, given := ca.options.Credentials.(Token); given {
		s.TokenEnds = ends
	}
	if s.Err == nil {
		s.Issuer, s.Err = ca.inspectIssuer(ctx)
	}
	if doubted, ttl, ago := ca.signed.last(); s.Err == nil && (doubted || !known && ago > idle*ca.options.Poll) {
		s.Err = ca.prove(ctx, max(ttl, trialTTL))
	}
	s.Asked, s.Granted = ca.lifetime.last()
	if ctx.Err() == nil {
		ca.standing.Store(&s)
	}
	return s
}

// inspectIssuer returns what the role signs with, and why no peer would accept
// that.
func (ca *CA) inspectIssuer(ctx context.Context) (*x509.Certificate, error) {
	signing, err := ca.readIssuer(ctx)
	if err != nil {
		return nil, err
	}
	if ca.options.Given == nil { // what it chains to is what is trusted
		return issuerOf(signing), nil
	}
	trust, err := ca.trusted(ctx)
	if err == nil {
		_, err = chainOf(signing, trust)
	}
	if err != nil {
		return nil, ca.distrust(err)
	}
	return issuerOf(signing), nil
}

// issuerOf returns the CA's certificate of what was shown: itself, or the CA that
// signed a leaf.
func issuerOf(signing *shown) *x509.Certificate {
	if signing.leaf.IsCA {
		return signing.leaf
	}
	for _, authority := range signing.authorities {
		if signing.leaf.CheckSignatureFrom(authority) == nil {
			return authority
		}
	}
	return nil
}

// prove has a certificate signed that is not used, with the lifetime that could
// not be had: a CA that ends signs what ends before it.
func (ca *CA) prove(ctx context.Context, ttl time.Duration) error {
	if ca.options.Trial == nil {
		return nil
	}
	request, err := ca.options.Trial()
	if err != nil {
		return err
	}
	csr, err := request.CSR()
	if err != nil {
		return err
	}
	_, err = ca.issue(ctx, request, csr, ttl)
	ca.signed.proved(ctx, ttl, err)
	return err
}

// attempts is how it came out to have something signed.
type attempts struct {
	mu      sync.Mutex
	failed  bool          // the last time
	ttl     time.Duration // that was asked for then
	refused bool          // one request was, and nothing was signed since
	at      time.Time     // the last time that it did not fail
}

// note reports whether it came out otherwise than the last time. A refusal of one
// request says nothing of others, so that it takes a proof.
func (a *attempts) note(ctx context.Context, ttl time.Duration, err error) (news bool) {
	if errors.Is(err, issuer.ErrRefused) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.refused = true
		return false
	}
	return a.proved(ctx, ttl, err)
}

// proved is note of a request that Vault has to sign.
func (a *attempts) proved(ctx context.Context, ttl time.Duration, err error) (news bool) {
	if err != nil && ctx.Err() != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.at, a.refused = time.Now(), false
	}
	if err == nil && ttl < a.ttl {
		return false // what is longer may be refused as before
	}
	news = a.failed != (err != nil)
	a.failed, a.ttl = err != nil, 0
	if a.failed {
		a.ttl = ttl
	}
	return news
}

// last returns whether it is doubtful that Vault signs, which lifetime it did not
// sign, and how long ago it signed something.
func (a *attempts) last() (doubted bool, ttl, ago time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed || a.refused, a.ttl, time.Since(a.at)
}

// examine returns whether the token is good, may sign, and when it ends for good;
// known is whether that could be found out. A token that is not any more is
// replaced if there is another.
func (s *session) examine(ctx context.Context) (ends time.Time, known bool, err error) {
	if failure := s.failure.Load(); failure != nil && errors.Is(*failure, ErrLimited) && s.current.Load() != nil {
		return time.Time{}, true, *failure
	}
	l, err := s.login(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	self, err := l.client.Auth().Token().LookupSelfWithContext(ctx)
	if status(err) == http.StatusForbidden && l.known.Load() {
		next, failure := s.replace(ctx, l)
		if failure != nil {
			return time.Time{}, true, failure
		}
		if next.auth.ClientToken == l.auth.ClientToken {
			return time.Time{}, true, fmt.Errorf("vault at %s: %w: the token has expired, was revoked or is used up: give another; one that is no orphan is revoked with the token that made it, and none is good while its entity is disabled", s.server.address, ErrDenied)
		}
		l = next
		self, err = l.client.Auth().Token().LookupSelfWithContext(ctx)
	}
	switch {
	case status(err) == http.StatusForbidden:
		return time.Time{}, false, nil // its policy may not let it ask
	case err != nil:
		return time.Time{}, false, s.server.explain(ctx, err)
	}
	l.known.Store(true)
	known, err = s.maySign(ctx, l)
	return endOf(self), known, err
}

// maySign returns an error if no policy lets the token sign, and whether that
// could be found out.
func (s *session) maySign(ctx context.Context, l *login) (known bool, err error) {
	// As a list: Vault takes a comma in a text for the end of a path.
	answer, err := l.client.Logical().WriteWithContext(ctx, "sys/capabilities-self", map[string]any{"paths": []string{s.server.signPath()}})
	var capabilities []any
	if answer != nil {
		capabilities, _ = answer.Data["capabilities"].([]any) // of the one path; none is that it may nothing
	}
	switch {
	case status(err) == http.StatusForbidden:
		return false, nil
	case err != nil:
		return false, s.server.explain(ctx, err)
	case !slices.Contains(capabilities, any("update")) && !slices.Contains(capabilities, any("root")):
		return true, fmt.Errorf("vault at %s: %w: no policy grants the token update on %s", s.server.address, ErrDenied, s.server.signPath())
	}
	return true, nil
}

// endOf returns when a token ends though it is renewed; zero if that does not
// happen, or not that it is known: what limits tokens of a mount shows when one
// of them is renewed, and not by as much as it had first.
func endOf(self *api.Secret) time.Time {
	ttl, _ := self.TokenTTL() // none where it is malformed, as for a token without end
	if ttl == 0 {
		return time.Time{}
	}
	created, limit := number(self, "creation_time"), number(self, "explicit_max_ttl")
	expires, err := time.Parse(time.RFC3339Nano, fmt.Sprint(self.Data["expire_time"]))
	if err != nil {
		return time.Time{}
	}
	renewable, _ := self.TokenIsRenewable()
	switch {
	case !renewable:
		return expires.Truncate(time.Second)
	case limit > 0:
		return time.Unix(created+limit, 0)
	case number(self, "period") > 0:
		return time.Time{}
	}
	first := time.Duration(number(self, "creation_ttl")) * time.Second
	if renewed := number(self, "last_renewal_time"); renewed > 0 && expires.Sub(time.Unix(renewed, 0)) < first-first/20 {
		return expires.Truncate(time.Second)
	}
	return time.Time{}
}
