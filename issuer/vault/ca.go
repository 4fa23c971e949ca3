// Package vault has the PKI of HashiCorp Vault certify requests.
//
// It owns the conversation with Vault: who it is there, what it asks for, and
// what answers and refusals mean. Private keys stay in the requests. Where a
// token is kept is not its business, and it knows no Kubernetes objects.
package vault

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault/names"
)

// Options says where Vault is and how to ask it.
type Options struct {
	// Address is Vault's, as [names.CheckAddress] has it. Required.
	Address string
	// CA is the PEM of the CAs that verify Vault's own certificate; those of
	// the system when empty.
	CA []byte
	// Given returns the roots that are trusted, and no others are then. nil is
	// for what the role's own issuer chains to, which is read from Vault. Required
	// where the address is http: what is read over that can be from anyone.
	Given func(context.Context) (trustbundle.TrustBundle, error)
	// Trial makes a request to have certified where the token may not read the
	// role: what signs it shows which issuer the role has. Nothing uses the
	// certificate. nil if there is none.
	Trial func() (*issuer.Request, error)
	// Mount is the path of the PKI; "pki" when empty.
	Mount string
	// Role is that of the PKI which certificates are asked of. Required.
	Role string
	// Credentials say who asks. Required.
	Credentials Credentials
	// Timeout bounds every request; 10 seconds when zero.
	Timeout time.Duration
	// Poll is how often Run looks for other roots; 1 minute when zero.
	Poll time.Duration
	// Logger gets what an operator should know; slog.Default when nil.
	Logger *slog.Logger
}

// CA signs with a Vault's PKI. It implements issuer.Issuer. The token is kept
// fresh, and other roots are noticed, only while Run runs.
type CA struct {
	options    Options
	server     server
	session    *session
	anonymous  *api.Client // no token: for what Vault publishes
	changed    chan struct{}
	trust      atomic.Pointer[trust]                   // nil before the first
	refused    atomic.Pointer[trustbundle.TrustBundle] // nil before the first
	shown      atomic.Pointer[shown]                   // by the last certificate that was signed
	unreadable atomic.Pointer[login]                   // that may not read the role
	standing   atomic.Pointer[Standing]                // that Inspect returned last
	signed     attempts
	lifetime   lifetime
	remembered remembered
}

// New returns the CA, and asks Vault nothing yet.
func New(o Options) (*CA, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	server := server{address: o.Address, mount: names.Mount(o.Mount), role: o.Role}
	connect, err := connector(o)
	if err != nil {
		return nil, err
	}
	anonymous, err := connect("")
	if err != nil {
		return nil, err
	}
	return &CA{
		options:   o,
		server:    server,
		session:   newSession(o.Credentials, connect, server, o.Logger),
		anonymous: anonymous,
		changed:   make(chan struct{}, 1),
	}, nil
}

// Issue implements issuer.Issuer. It refuses what does not chain to the roots
// that Roots returned last, for no peer would accept it.
func (ca *CA) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if ttl < time.Second {
		return nil, fmt.Errorf("a lifetime of %s is shorter than a second", ttl)
	}
	csr, err := req.CSR()
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	chain, err := ca.issue(ctx, req, csr, ttl)
	if ca.signed.note(ctx, ttl, err) {
		ca.tell()
	}
	if err != nil {
		return nil, err
	}
	if granted := chain[0].NotAfter.Sub(asked); ca.lifetime.shortened(ttl, granted) {
		ca.options.Logger.Warn("Vault grants shorter lifetimes than are asked for, and certificates are renewed as much earlier: raise max_ttl of the role or of the mount",
			"asked", ttl, "granted", granted.Round(time.Minute), "role", ca.server.rolePath())
		ca.tell()
	}
	return chain, nil
}

func (ca *CA) issue(ctx context.Context, req *issuer.Request, csr []byte, ttl time.Duration) ([]*x509.Certificate, error) {
	answer, err := ca.sign(ctx, csr, ttl)
	if err != nil {
		return nil, err
	}
	signed, err := ca.parse(answer)
	if err != nil {
		return nil, err
	}
	chain, err := ca.verify(ctx, signed)
	if err != nil {
		return nil, err
	}
	if err := req.Check(chain); err != nil {
		return nil, fmt.Errorf("%w: %s", err, ca.server.exactly())
	}
	return chain, nil
}

// parse reads an answer, and keeps what it shows.
func (ca *CA) parse(answer *api.Secret) (*shown, error) {
	leaf, authorities, err := ca.remembered.parse(answer)
	if err != nil {
		return nil, fmt.Errorf("read what vault at %s signed: %w", ca.server.address, err)
	}
	signed := &shown{leaf, authorities}
	ca.shown.Store(signed)
	return signed, nil
}

// sign asks in whole seconds, and never for 0 of them, which would be whatever
// Vault likes.
func (ca *CA) sign(ctx context.Context, csr []byte, ttl time.Duration) (*api.Secret, error) {
	question := map[string]any{
		"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
		"ttl": fmt.Sprintf("%ds", ttl/time.Second),
	}
	return ca.session.ask(ctx, func(client *api.Client) (*api.Secret, error) {
		return client.Logical().WriteWithContext(ctx, ca.server.signPath(), question)
	})
}

func (o Options) withDefaults() Options {
	o.Mount = cmp.Or(o.Mount, "pki")
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
