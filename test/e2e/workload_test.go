//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
)

const (
	buyerID = "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"
	storeID = "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"
)

func (tr *trial) deploy(ctx context.Context) (err error) {
	if tr.buyer, err = tr.deployOne(ctx, "bookbuyer", "bookbuyer"); err != nil {
		return err
	}
	if tr.store, err = tr.deployOne(ctx, "bookstore", "bookstore-v2"); err != nil {
		return err
	}
	_, err = tr.client.CoreV1().Services("bookstore").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "bookstore-v2"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "bookstore-v2"},
			Ports:    []corev1.ServicePort{{Port: inboundPort}}, // without redirection, callers go to the sidecar themselves
		},
	}, metav1.CreateOptions{})
	return err
}

func (tr *trial) deployOne(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	if err := mesh.Join(ctx, tr.client, namespace); err != nil {
		return nil, err
	}
	container := corev1.Container{Image: imageOf("app"), ImagePullPolicy: corev1.PullNever}
	pod, err := mesh.Deploy(ctx, tr.client, namespace, name, container)
	if err != nil {
		return nil, err
	}
	return pod, checkInjected(pod)
}

func checkInjected(pod *corev1.Pod) error {
	for _, c := range pod.Spec.Containers {
		if c.Name == "sidecar" && c.Image == imageOf("sidecar") {
			return nil
		}
	}
	return fmt.Errorf("pod %s/%s has no sidecar", pod.Namespace, pod.Name)
}

// call has the buyer call the store by its Service's name.
func (tr *trial) call(ctx context.Context) error {
	return await(ctx, func(ctx context.Context) error {
		status, body, err := tr.ask(ctx, storeID)
		if err == nil && (status != http.StatusOK || body != "URI="+buyerID) {
			err = fmt.Errorf("the store says %d %q, not who the buyer is", status, body)
		}
		return err
	})
}

// callAnother has the buyer look for somebody else where the store is.
func (tr *trial) callAnother(ctx context.Context) error {
	status, body, err := tr.ask(ctx, "spiffe://cluster.local/ns/bookstore/sa/bookstore-v1")
	if err == nil && (status != http.StatusBadGateway || !strings.Contains(body, "mutual TLS with ")) {
		err = fmt.Errorf("the buyer's sidecar says %d %q, not that mutual TLS failed", status, body)
	}
	return err
}

// ask has the buyer call the store's Service, where its sidecar is to find the
// peer.
func (tr *trial) ask(ctx context.Context, peer string) (status int, body string, err error) {
	query := url.Values{"host": {"bookstore-v2.bookstore:8080"}, "peer": {peer}}
	return tr.get(ctx, fmt.Sprintf("http://%s:8081/?%s", tr.buyer.Status.PodIP, query.Encode()))
}

// replaceStore replaces the store's pod and calls the new one.
func (tr *trial) replaceStore(ctx context.Context) error {
	old := tr.store
	if err := mesh.Restart(ctx, tr.client, old.Namespace, "bookstore-v2"); err != nil {
		return err
	}
	pod, err := mesh.Pod(ctx, tr.client, old.Namespace, "bookstore-v2")
	if err != nil {
		return err
	}
	if pod.UID == old.UID {
		return fmt.Errorf("pod %s was not replaced", old.Name)
	}
	tr.store = pod
	if err := errors.Join(checkInjected(pod), tr.checkSidecar(ctx, pod, storeID)); err != nil {
		return err
	}
	return tr.call(ctx)
}
