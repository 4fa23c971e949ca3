package rotation

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	contactPeriod  = 5 * time.Second
	contactTimeout = 5 * time.Second
	// isolation is how long the API server may be away before a replica is not
	// ready any more.
	isolation = 20 * time.Second
	// desertion is how long it may be away before the replica sends its proxies
	// to others. That it is not ready is known by then.
	desertion = 30 * time.Second
)

// contact is when this replica last knew that its view of the record is that of
// all others.
type contact struct{ last atomic.Pointer[time.Time] }

// runContact confirms the record again and again, until ctx ends. A replica
// that cannot may be the only one: it sends its proxies away once, and goes on
// to serve those that come.
func (r *Rotation) runContact(ctx context.Context) error {
	shed := false
	for {
		started := time.Now().Round(0)
		if err := r.confirm(ctx); err == nil {
			r.contact.last.Store(&started)
			r.Manager.Confirm(started)
			shed = false
		} else if ctx.Err() == nil && !shed && r.contact.lostFor(desertion) {
			r.Logger.Warn("the API server is away; proxies are sent to other replicas", "error", err)
			r.Shed()
			shed = true
		}
		if !sleep(ctx, contactPeriod) {
			return nil
		}
	}
}

// confirm returns nil if the record is the one that is known here.
func (r *Rotation) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	cm, err := r.Client.CoreV1().ConfigMaps(r.Namespace).Get(ctx, ConfigMapName, metav1.GetOptions{})
	known := r.state.Load()
	switch {
	case apierrors.IsNotFound(err) && known == nil:
		return nil
	case err != nil:
		return err
	case known == nil || known.version != cm.ResourceVersion:
		return fmt.Errorf("configmap %s/%s has changed, and it is not known how", r.Namespace, ConfigMapName)
	}
	return nil
}

// InContact returns nil unless this replica has not reached the API server for
// long.
func (r *Rotation) InContact() error {
	if !r.contact.lostFor(isolation) {
		return nil
	}
	return fmt.Errorf("the API server was last reached at %s", r.contact.last.Load().UTC().Format(time.RFC3339))
}

// lostFor reports whether there was contact, and none for that long.
func (c *contact) lostFor(d time.Duration) bool {
	last := c.last.Load()
	return last != nil && time.Since(*last) > d
}
