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

// Role is what a root is used for.
type Role int

const (
	// Active is the role of the one root that signs. It is trusted too.
	Active Role = iota
	// Passive is the role of a root that is trusted and does not sign.
	Passive
)

// Root is a certificate authority in its role.
type Root struct {
	// Name tells roots apart in logs and metrics.
	Name   string
	Role   Role
	Issuer Issuer
}

// ErrTrustedOnly is what an issuer made by [TrustedOnly] answers to Issue.
var ErrTrustedOnly = errors.New("the root is trusted only and signs nothing")

// TrustedOnly returns the issuer of a root that is known by its certificates
// alone, as one whose key is gone. It signs nothing.
func TrustedOnly(bundle trustbundle.TrustBundle) Issuer { return trustedOnly{bundle} }

type trustedOnly struct{ bundle trustbundle.TrustBundle }

func (t trustedOnly) Issue(context.Context, *Request, time.Duration) ([]*x509.Certificate, error) {
	return nil, ErrTrustedOnly
}

func (t trustedOnly) Roots(context.Context) (trustbundle.TrustBundle, error) { return t.bundle, nil }

// ToFix stands in the text of errors between what is wrong and what to do.
const ToFix = "; to fix it, "
