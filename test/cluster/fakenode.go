package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
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
	images    map[string]string // name of an image to path of a binary
	log       *slog.Logger

	mu   sync.Mutex
	pods map[types.UID]*podLife
	wait sync.WaitGroup
}

// Run is the node's life. When ctx ends, so do all processes of its pods.
func (n *fakeNode) Run(ctx context.Context) error {
	defer n.addresses.close()
	defer n.wait.Wait()
	if err := n.register(ctx); err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	n.wait.Go(func() { n.beat(ctx) })
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
	return nil
}

func (n *fakeNode) register(ctx context.Context) error {
	node, err := n.client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:   nodeName,
		Labels: map[string]string{corev1.LabelHostname: nodeName, corev1.LabelOSStable: "linux"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	now := metav1.Now()
	room := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("1000"),
		corev1.ResourceMemory:           resource.MustParse("1Ti"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Ti"),
		corev1.ResourcePods:             *resource.NewQuantity(podsPerShare/2, resource.DecimalSI),
	}
	node.Status = corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: hostIP}, {Type: corev1.NodeHostName, Address: nodeName}},
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fake", LastHeartbeatTime: now, LastTransitionTime: now,
		}},
	}
	_, err = n.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

// beat renews the node's lease. Without it the node controller takes the node for dead after 50 seconds.
func (n *fakeNode) beat(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		if err := n.renewLease(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("renewing the node's lease failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *fakeNode) renewLease(ctx context.Context) error {
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now := metav1.NowMicro()
	lease, err := leases.Get(ctx, nodeName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: nodeName},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: new(nodeName), LeaseDurationSeconds: new(int32(40)), RenewTime: &now},
		}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = &now
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
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
	n.mu.Lock()
	defer n.mu.Unlock()
	err := os.ErrProcessDone
	for _, life := range n.pods {
		if life.pod.Namespace == namespace && life.pod.Name == name {
			err = life.signal(signal)
		}
	}
	if err != nil {
		return fmt.Errorf("signalling the processes of pod %s/%s: %w", namespace, name, err)
	}
	return nil
}
