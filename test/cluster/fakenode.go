package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// fakeNode stands in for a node and its kubelet. It is always Ready. Containers of the images that it has run as processes
// of this machine; all others only look as if they ran, or, in a Job's pod, as if they had succeeded. It has no volumes.
type fakeNode struct {
	client    kubernetes.Interface
	launcher  *launcher
	plan      controlPlane
	authority *authority
	addresses *podAddresses
	listener  net.Listener      // for the API server
	images    map[string]string // name of an image to path of a binary
	log       *slog.Logger

	mu   sync.Mutex
	pods map[types.UID]*podLife
	wait sync.WaitGroup
}

// newNode makes the cluster's node and registers it. Its Run must be called: it gives the addresses back.
func (c *Cluster) newNode(ctx context.Context, images map[string]string) (*fakeNode, error) {
	addresses, err := newPodAddresses()
	if err != nil {
		return nil, err
	}
	listener, err := listenNode(c.authority)
	if err != nil {
		return nil, errors.Join(err, addresses.close())
	}
	n := &fakeNode{
		client:    c.client,
		launcher:  c.launcher,
		plan:      c.plan,
		authority: c.authority,
		addresses: addresses,
		listener:  listener,
		images:    images,
		log:       slog.New(slog.NewTextHandler(c.log, nil)),
		pods:      map[types.UID]*podLife{},
	}
	if err := n.register(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("registering the node: %w", err), listener.Close(), addresses.close())
	}
	return n, nil
}

// Run is the node's life after it is registered. When ctx ends, so do all processes of its pods.
func (n *fakeNode) Run(ctx context.Context) error {
	n.wait.Go(func() { n.heartbeat(ctx) })
	n.wait.Go(func() { n.serve(ctx) })
	selector := fields.OneTermEqualSelector("spec.nodeName", nodeName)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(n.client.CoreV1().RESTClient(), "pods", metav1.NamespaceAll, selector),
		ObjectType:    &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { n.sync(ctx, o.(*corev1.Pod)) },
			UpdateFunc: func(_, o any) { n.sync(ctx, o.(*corev1.Pod)) },
			DeleteFunc: n.forget,
		},
	})
	informer.RunWithContext(ctx)
	n.wait.Wait()
	return n.addresses.close()
}

// sync hands the pod's latest state to its life, which begins with the first.
func (n *fakeNode) sync(ctx context.Context, pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if life, ok := n.pods[pod.UID]; ok {
		life.offer(pod)
		return
	}
	log := n.log.With("namespace", pod.Namespace, "pod", pod.Name)
	address, err := n.addresses.take()
	if err != nil {
		log.Error("a pod can't run", "error", err)
		return
	}
	life := newPodLife(n, pod, address)
	n.pods[pod.UID] = life
	n.wait.Go(func() {
		defer n.addresses.release(address)
		if err := life.run(ctx); err != nil {
			log.Warn("a pod left something behind", "error", err)
		}
	})
}

// forget ends a pod that is gone from the API.
func (n *fakeNode) forget(o any) {
	if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = unknown.Obj
	}
	uid := o.(*corev1.Pod).UID
	n.mu.Lock()
	defer n.mu.Unlock()
	if life, ok := n.pods[uid]; ok {
		life.forget()
		delete(n.pods, uid)
	}
}

// signal sends the signal to all processes of the pod.
func (n *fakeNode) signal(namespace, name string, signal syscall.Signal) error {
	err := os.ErrProcessDone
	if life := n.find(namespace, name); life != nil {
		err = life.signal(signal)
	}
	if err != nil {
		return fmt.Errorf("signalling the processes of pod %s/%s: %w", namespace, name, err)
	}
	return nil
}

// cut cuts the processes of the pod off from the API server.
func (n *fakeNode) cut(namespace, name string) (fix func(), err error) {
	err = os.ErrProcessDone
	if life := n.find(namespace, name); life != nil {
		fix, err = life.cut()
	}
	if err != nil {
		return nil, fmt.Errorf("cutting pod %s/%s off: %w", namespace, name, err)
	}
	return fix, nil
}

// find returns nil where there is no such pod.
func (n *fakeNode) find(namespace, name string) *podLife {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, life := range n.pods {
		if life.pod.Namespace == namespace && life.pod.Name == name {
			return life
		}
	}
	return nil
}
