// Package provider chooses the certificate authority of a mesh, and follows it:
// when another root is to sign, or others are trusted, it tells the Manager.
package provider

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
)

const (
	// resync looks again at what is trusted, since replaced roots retire.
	resync = time.Hour

	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// TresorOptions configures a Tresor. All are required.
type TresorOptions struct {
	Client kubernetes.Interface
	// Namespace and Secret say where the root is.
	Namespace, Secret string
	Manager           *issuer.Manager
	// Trust makes the current root trusted throughout the mesh, and returns
	// all that are trusted now.
	Trust  func(ctx context.Context, current issuer.TrustBundle) (issuer.TrustBundle, error)
	Logger *slog.Logger
}

// Tresor has a Manager sign with the root of a Secret, whichever that is. A
// Secret that is deleted or refused changes nothing: the root that signed goes
// on to.
type Tresor struct {
	options TresorOptions
	latest  chan *corev1.Secret // one slot
	current *tresor.CA          // of Run alone
	failure atomic.Pointer[error]
}

// NewTresor returns a Tresor.
func NewTresor(o TresorOptions) *Tresor {
	return &Tresor{options: o, latest: make(chan *corev1.Secret, 1)}
}

// Ready returns nil once a root signs, and otherwise what keeps it from that.
func (t *Tresor) Ready() error {
	failure := t.failure.Load()
	if failure == nil {
		return fmt.Errorf("secret %s/%s with the root certificate is not there yet: osm-bootstrap creates it", t.options.Namespace, t.options.Secret)
	}
	return *failure
}

// Run follows the Secret until ctx ends.
func (t *Tresor) Run(ctx context.Context) error {
	informer, err := t.informer()
	if err != nil {
		return err
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		informer.RunWithContext(ctx)
	}()
	t.follow(ctx)
	<-watched
	return nil
}

func (t *Tresor) informer() (cache.SharedIndexInformer, error) {
	onlyThis := fields.OneTermEqualSelector(metav1.ObjectNameField, t.options.Secret).String()
	informer := corev1informers.NewFilteredSecretInformer(t.options.Client, t.options.Namespace, 0, cache.Indexers{},
		func(list *metav1.ListOptions) { list.FieldSelector = onlyThis })
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    t.observe,
		UpdateFunc: func(_, secret any) { t.observe(secret) },
	})
	return informer, err
}

// observe is called by the informer alone, one call after the other, so that
// the second send finds room.
func (t *Tresor) observe(object any) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	select {
	case <-t.latest:
	default:
	}
	t.latest <- secret
}

func (t *Tresor) follow(ctx context.Context) {
	var secret *corev1.Secret
	retry, timer := firstRetry, time.NewTimer(resync)
	defer timer.Stop()
	for {
		select {
		case secret = <-t.latest:
			retry = firstRetry
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if secret == nil {
			timer.Reset(resync)
			continue
		}
		err := t.use(ctx, secret)
		if ctx.Err() != nil {
			return
		}
		t.report(err)
		timer.Reset(resync)
		if err != nil {
			timer.Reset(retry)
			retry = min(2*retry, lastRetry)
		}
	}
}

// report keeps a root that signs ready, whatever is wrong with the next one.
func (t *Tresor) report(err error) {
	if err != nil {
		t.options.Logger.Error("cannot use the root; will try again", "error", err)
	}
	if err == nil || t.current == nil {
		t.failure.Store(&err)
	}
}

func (t *Tresor) use(ctx context.Context, secret *corev1.Secret) error {
	root, err := rootsecret.Parse(secret, time.Now())
	if err != nil {
		return err
	}
	ca := t.current
	if ca == nil || !ca.Root().Equal(root.Certificate) {
		if ca, err = tresor.New(root.Certificate, root.Key); err != nil {
			return err
		}
	}
	trusted, err := t.options.Trust(ctx, issuer.NewTrustBundle(root.Certificate))
	if err != nil {
		return fmt.Errorf("publish the trusted roots: %w", err)
	}
	err = t.options.Manager.SetRoots(ctx,
		issuer.Root{Name: secret.Name, Role: issuer.Active, Issuer: ca},
		issuer.Root{Name: "trusted", Role: issuer.Passive, Issuer: issuer.TrustedOnly(trusted)},
	)
	if err != nil {
		return err
	}
	if ca != t.current {
		t.options.Logger.Info("a root signs", "subject", root.Certificate.Subject.String(), "notAfter", root.Certificate.NotAfter)
	}
	t.current = ca
	return nil
}
