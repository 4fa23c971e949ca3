//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
)

// checkWire looks at the port of the store as those outside of the mesh see it.
func (tr *trial) checkWire(ctx context.Context) error {
	if _, err := tr.presented(ctx, addressOf(tr.store, meshPort), commonName(tr.store)); err != nil {
		return err
	}
	if err := tr.anonymous(ctx, addressOf(tr.store, meshPort)); err != nil {
		return err
	}
	for _, target := range []string{storeURL, "http://" + addressOf(tr.store, meshPort) + "/", "http://" + addressOf(tr.store, inboundPort) + "/"} {
		if err := tr.wantNone(ctx, tr.outside, target); err != nil {
			return err
		}
	}
	if status, body, err := tr.ask(ctx, tr.store, storeURL, ""); err == nil {
		return fmt.Errorf("a port that the store does not exclude answers from outside: %d %q", status, body)
	}
	return nil
}

// listenIn has a pod of the node's own network listen while the buyer talks to
// the store, and then straight to a pod outside.
func (tr *trial) listenIn(ctx context.Context) error {
	const scheme, confidential, inTheOpen = "spiffe://", "confidential", "in-the-open"
	listener := app("listener", "listen", scheme, confidential, inTheOpen)
	listener.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(0)), Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_RAW"}}}
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{listener}}}
	pod, err := tr.deployTemplate(ctx, "outside", "listener", template)
	if err != nil {
		return err
	}
	heard := "http://" + addressOf(pod, 8091) + "/"
	return await(ctx, func(ctx context.Context) error {
		// In this order: what was said before is counted before.
		if err := errors.Join(tr.say(ctx, storeURL, scheme+confidential), tr.say(ctx, "http://outside.outside:8082/", scheme+inTheOpen)); err != nil {
			return err
		}
		secret, err := tr.metric(ctx, heard, "1")
		open, err2 := tr.metric(ctx, heard, "2")
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if open == 0 || secret > 0 {
			return fmt.Errorf("%v frames had what was said in the open, and %v what was confidential", open, secret)
		}
		return nil
	})
}

func (tr *trial) say(ctx context.Context, target, word string) error {
	status, body, err := tr.ask(ctx, tr.buyer, target, word)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers %d %q", target, status, body)
	}
	return err
}
