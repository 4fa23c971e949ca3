package certmanager

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// inspectionAge is how long an issuer that was found in order is not looked at
// again, unless something fails.
const inspectionAge = time.Minute

// inspection is what is known of cert-manager's issuer.
type inspection struct {
	logger *slog.Logger

	mu    sync.Mutex
	until time.Time // when it is to be inspected again
	told  bool      // that it may not be read
}

func (n *inspection) due(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !now.Before(n.until)
}

func (n *inspection) passed(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = now.Add(inspectionAge)
}

// repeat has the next request inspect the issuer anew.
func (n *inspection) repeat() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = time.Time{}
}

// forbidden tells once that issuers may not be read.
func (n *inspection) forbidden(reference Reference, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.told {
		n.logger.Warn("may not read the issuer, so it is not known whether it is there, ready, and of a kind that will do; "+
			"allow get of issuers and clusterissuers", "issuer", reference, "error", err)
	}
	n.told = true
}

// inspect refuses an issuer of cert-manager's own that cannot sign for the
// mesh, before anything is asked of it. Of others' nothing is known.
func (i *Issuer) inspect(ctx context.Context) error {
	now := time.Now()
	if !i.reference.builtIn() || !i.inspection.due(now) {
		return nil
	}
	object, err := i.read(ctx)
	switch {
	case apierrors.IsForbidden(err):
		i.inspection.forbidden(i.reference, err)
	case apierrors.IsNotFound(err) && !unknownResource(err):
		return &Error{
			Reason:  IssuerNotFound,
			Problem: fmt.Sprintf("there is no %s%s", i.reference, i.place()),
			Fix:     "create it, or correct certManager.issuerRef to one that there is: kubectl get issuers.cert-manager.io,clusterissuers.cert-manager.io -n " + i.options.Namespace,
		}
	case err != nil:
		return i.explain(fmt.Errorf("read %s: %w", i.reference, err))
	default:
		err = usable(object, i.reference)
	}
	if err == nil || apierrors.IsForbidden(err) {
		i.inspection.passed(now)
		return nil
	}
	return err
}

// read returns the issuer of cert-manager's own.
func (i *Issuer) read(ctx context.Context) (cmapi.GenericIssuer, error) {
	if i.reference.Kind == kindClusterIssuer {
		return i.options.Client.ClusterIssuers().Get(ctx, i.reference.Name, metav1.GetOptions{})
	}
	return i.options.Client.Issuers(i.options.Namespace).Get(ctx, i.reference.Name, metav1.GetOptions{})
}

// place says where the issuer must be.
func (i *Issuer) place() string {
	if i.reference.Kind == kindClusterIssuer {
		return ""
	}
	return " in namespace " + i.options.Namespace
}

// usable refuses ACME, whose authorities certify no names of a cluster, an issuer
// without a key of its own, and whatever cert-manager does not call ready.
func usable(o cmapi.GenericIssuer, reference Reference) error {
	if o.GetSpec().ACME != nil {
		return &Error{
			Reason:  IssuerRefused,
			Problem: fmt.Sprintf("%s is an ACME issuer, which cannot certify the names of a mesh", reference),
			Fix:     "choose an issuer of another type, such as CA or Vault",
		}
	}
	if o.GetSpec().SelfSigned != nil {
		return &Error{
			Reason:  IssuerRefused,
			Problem: fmt.Sprintf("%s is a self-signed issuer, which would sign each certificate with its own key", reference),
			Fix:     "have it make a CA certificate, and choose an issuer of type CA with the Secret of that",
		}
	}
	said := "cert-manager has set no condition on it"
	for _, c := range o.GetStatus().Conditions {
		if c.Type != cmapi.IssuerConditionReady {
			continue
		}
		if c.Status == cmmeta.ConditionTrue {
			return nil
		}
		said = quote(c.Reason, c.Message)
	}
	return &Error{
		Reason:  IssuerNotReady,
		Problem: fmt.Sprintf("%s is not ready: %s", reference, said),
		Fix:     "correct what it reports, and see that cert-manager runs",
	}
}
