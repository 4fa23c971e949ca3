package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// outcome is how it came out to ask an issuer.
type outcome string

const (
	granted   outcome = "issued"
	refused   outcome = "refused"     // this request; others may fare better
	abandoned outcome = "abandoned"   // the caller gave up, which says nothing of the issuer
	timedOut  outcome = "timeout"     // no answer in the time that an issuer has
	unusable  outcome = "unusable"    // it certified something else than what it was asked to
	away      outcome = "unavailable" // it failed, or could not be reached
)

// answered reports whether the issuer works.
func (o outcome) answered() bool { return o == granted || o == refused }

// failed reports whether the issuer, and not this request, is to blame.
func (o outcome) failed() bool { return !o.answered() && o != abandoned }

// issueTimeout bounds the wait for an issuer, whatever it waits for itself: it
// may be that no caller gives up, and none asks while a probe is out.
const issueTimeout = 30 * time.Second

// errUnanswered ends the wait for an issuer that does not answer.
var errUnanswered = fmt.Errorf("the issuer did not answer within %s", issueTimeout)

// outcomeOf tells how it came out that an issuer failed within ctx, and as what
// error.
func outcomeOf(ctx context.Context, err error) (outcome, error) {
	switch {
	case errors.Is(context.Cause(ctx), errUnanswered):
		return timedOut, fmt.Errorf("%w: %w", errUnanswered, err)
	case ctx.Err() != nil:
		return abandoned, err
	case errors.Is(err, ErrRefused):
		return refused, err
	}
	return away, err
}
