package issuer

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Issuer is a certificate authority.
//
// An Issuer is safe for concurrent use.
type Issuer interface {
	// Issue certifies the request's public key under exactly the request's
	// names, for client and server authentication as the request says.
	//
	// The chain starts with the leaf and holds the intermediates, without the
	// root. NotBefore lies in the past, so that clocks behind this one accept
	// it. NotAfter is at most ttl away and may be earlier: the caller reads
	// it from the certificate.
	//
	// Issue gives up when ctx ends, and leaves nothing under way.
	//
	// An error that wraps [ErrRefused] speaks of this request alone. Every other
	// speaks of the authority: a few in a row, and a Manager asks it rarely until
	// it answers again.
	Issue(ctx context.Context, req *Request, ttl time.Duration) ([]*x509.Certificate, error)

	// Roots returns the roots that verify what Issue returns.
	Roots(ctx context.Context) (trustbundle.TrustBundle, error)
}

// ErrRefused is wrapped in what an Issuer returns when it looked at a request
// and will not certify it, while it may well certify others: a name is not
// allowed, a person denied it. What no request would fare better with, as a
// role that allows no URIs at all, is not a refusal.
var ErrRefused = errors.New("the issuer refuses the request")

// ToFix stands in the text of errors between what is wrong and what to do.
const ToFix = "; to fix it, "
