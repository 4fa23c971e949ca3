package certmanager

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/typed/certmanager/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/osm-edge/osm/issuer"
)

const (
	defaultTimeout = time.Minute

	// maxTimeout keeps requests in use younger than leftoverAge.
	maxTimeout = 5 * time.Minute
)

// Options configures an Issuer.
type Options struct {
	// Client is that of the cluster; required.
	Client Client
	// Namespace is the mesh namespace, where requests are made; required.
	Namespace string
	// Issuer is cert-manager's issuer that is to sign; its name is required.
	Issuer Reference
	// Roots returns the roots that the issuer's certificates lead to, as the
	// operator has given them; required. Its error says what to fix.
	Roots func(ctx context.Context) (issuer.TrustBundle, error)
	// Mesh is the mesh's name; required.
	Mesh string
	// Holder tells this process from the mesh's others, as its pod's name does;
	// required. What an earlier process of that name left is taken away.
	Holder string
	// Timeout bounds how long a request may stay unanswered; one minute when
	// zero, and at most five.
	Timeout time.Duration
	// Logger is slog.Default when nil.
	Logger *slog.Logger
}

// Issuer has cert-manager sign. It implements issuer.Issuer. Issue works only
// while Run runs.
type Issuer struct {
	options    Options
	reference  Reference
	requests   cmclient.CertificateRequestInterface
	watcher    *watcher
	inspection inspection
	shortening shortening
}

// New returns an Issuer.
func New(o Options) (*Issuer, error) {
	reference, err := o.Issuer.complete()
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"mesh": o.Mesh, "holder": o.Holder} {
		if problems := validation.IsValidLabelValue(value); value == "" || len(problems) > 0 {
			return nil, fmt.Errorf("the %s %q is not the value of a label: %s", name, value, strings.Join(problems, "; "))
		}
	}
	if o.Timeout < 0 || o.Timeout > maxTimeout {
		return nil, fmt.Errorf("a timeout of %s is not between 0 and %s", o.Timeout, maxTimeout)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	i := &Issuer{options: o, reference: reference, requests: o.Client.CertificateRequests(o.Namespace)}
	i.inspection.logger, i.shortening.logger = o.Logger, o.Logger
	i.watcher = newWatcher(i.requests, i.ownLabels().String(), o.Logger)
	return i, nil
}

// Run watches the requests and takes leftovers away until ctx ends.
func (i *Issuer) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	parts.Go(func() { i.watcher.run(ctx) })
	parts.Go(func() { i.sweep(ctx) })
	parts.Wait()
	return nil
}

// Roots implements issuer.Issuer.
func (i *Issuer) Roots(ctx context.Context) (issuer.TrustBundle, error) {
	roots, err := i.options.Roots(ctx)
	if err != nil {
		return issuer.TrustBundle{}, fmt.Errorf("roots of %s: %w", i.reference, err)
	}
	if roots.IsEmpty() {
		return issuer.TrustBundle{}, fmt.Errorf("roots of %s: there is none", i.reference)
	}
	return roots, nil
}

// Issue implements issuer.Issuer. The error is an *Error where the reason is
// known.
func (i *Issuer) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	chain, err := i.issue(ctx, req, ttl)
	if err != nil {
		i.inspection.repeat()
	}
	return chain, err
}

func (i *Issuer) issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	roots, err := i.Roots(ctx)
	if err != nil {
		return nil, err
	}
	asked, err := lifetime(ttl, roots, time.Now())
	if err != nil {
		return nil, err
	}
	if err := i.inspect(ctx); err != nil {
		return nil, err
	}
	request, err := i.newRequest(req, asked)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	signed, err := i.sign(ctx, request)
	if err != nil {
		return nil, err
	}
	chain, err := verify(signed, roots, time.Now())
	if err != nil {
		return nil, err
	}
	i.shortening.see(chain[0], asked, begun)
	return chain, nil
}
