package main

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/follow"
	"github.com/osm-edge/osm/manifests/mesh"
	"github.com/osm-edge/osm/sds/destination"
)

// caches hold what is looked up often: the namespaces, the pods that have a
// sidecar, what leads to them, and the ConfigMaps that are published.
type caches struct {
	namespaces *follow.Follower[*corev1.Namespace]
	pods       *follow.Follower[*corev1.Pod]
	services   *follow.Follower[*corev1.Service]
	endpoints  *follow.Follower[*discoveryv1.EndpointSlice]
	nodes      *follow.Follower[*corev1.Node]
	accounts   *follow.Follower[*corev1.ServiceAccount]
	indexed    func() bool                                    // what is answered from the caches is known
	configMaps map[string]*follow.Follower[*corev1.ConfigMap] // by name, in every namespace
	running    sync.WaitGroup
}

// newCaches caches of the ConfigMaps those of the given names.
func newCaches(client kubernetes.Interface, published ...string) *caches {
	kept := func(transform cache.TransformFunc) follow.Options {
		return follow.Options{Transform: transform, Client: client}
	}
	all, core := metav1.NamespaceAll, client.CoreV1()
	c := &caches{
		namespaces: follow.New[*corev1.Namespace](core.Namespaces(), kept(nil)),
		pods:       follow.New[*corev1.Pod](core.Pods(all), follow.Options{Labels: injector.ProxyLabel, Transform: essentials, Client: client}),
		services:   follow.New[*corev1.Service](core.Services(all), kept(clusterIPs)),
		endpoints:  follow.New[*discoveryv1.EndpointSlice](client.DiscoveryV1().EndpointSlices(all), kept(endpointAddresses)),
		nodes:      follow.New[*corev1.Node](core.Nodes(), kept(podRanges)),
		accounts:   follow.New[*corev1.ServiceAccount](core.ServiceAccounts(all), kept(accountUIDs)),
		indexed:    func() bool { return true },
		configMaps: map[string]*follow.Follower[*corev1.ConfigMap]{},
	}
	for _, name := range published {
		c.configMaps[name] = follow.New[*corev1.ConfigMap](core.ConfigMaps(all), follow.Options{Name: name, Client: client})
	}
	return c
}

// index has the index follow the caches.
func (c *caches) index(x *destination.Index) (err error) {
	c.indexed, err = x.Follow(destination.Informers{
		Pods: c.pods.Informer(), Services: c.services.Informer(), EndpointSlices: c.endpoints.Informer(), Nodes: c.nodes.Informer(),
	})
	return err
}

// ports returns which ports of pods are declared HTTP, as the caches have it.
func (c *caches) ports() (*destination.Ports, error) {
	ports, before := destination.NewPorts(c.podLister()), c.indexed
	synced, err := ports.Follow(destination.Informers{Pods: c.pods.Informer(), EndpointSlices: c.endpoints.Informer()})
	c.indexed = func() bool { return before() && synced() }
	return ports, err
}

// clusterIPs keeps nothing else of a Service.
func clusterIPs(object any) (any, error) {
	service, ok := object.(*corev1.Service)
	if !ok {
		return object, nil
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name, ResourceVersion: service.ResourceVersion},
		Spec:       corev1.ServiceSpec{ClusterIPs: service.Spec.ClusterIPs},
	}, nil
}

// endpointAddresses keeps of an EndpointSlice those, the pods that they are meant
// to be, its ports, and whose it is.
func endpointAddresses(object any) (any, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return object, nil
	}
	kept := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Namespace: slice.Namespace, Name: slice.Name, ResourceVersion: slice.ResourceVersion,
		Labels: map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]},
	}, Ports: slice.Ports}
	for _, endpoint := range slice.Endpoints {
		kept.Endpoints = append(kept.Endpoints, discoveryv1.Endpoint{Addresses: endpoint.Addresses, TargetRef: meant(endpoint.TargetRef)})
	}
	return kept, nil
}

// meant keeps of a reference what it is to.
func meant(target *corev1.ObjectReference) *corev1.ObjectReference {
	if target == nil {
		return nil
	}
	return &corev1.ObjectReference{Kind: target.Kind, Name: target.Name}
}

// podRanges reduces a Node to the ranges of its pods' addresses.
func podRanges(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, ResourceVersion: node.ResourceVersion},
		Spec:       corev1.NodeSpec{PodCIDRs: node.Spec.PodCIDRs},
	}, nil
}

// accountUIDs reduces a service account to what tells it from another of its
// name.
func accountUIDs(object any) (any, error) {
	account, ok := object.(*corev1.ServiceAccount)
	if !ok {
		return object, nil
	}
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: account.Namespace, Name: account.Name, UID: account.UID,
		ResourceVersion: account.ResourceVersion, DeletionTimestamp: account.DeletionTimestamp,
	}}, nil
}

// essentials keeps of a pod what attestation asks for, its addresses, and whether
// its sidecar runs: as an init container it does before the pod is said to.
func essentials(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:         pod.Namespace,
			Name:              pod.Name,
			UID:               pod.UID,
			ResourceVersion:   pod.ResourceVersion,
			CreationTimestamp: pod.CreationTimestamp,
			DeletionTimestamp: pod.DeletionTimestamp,
			Labels:            map[string]string{injector.ProxyLabel: pod.Labels[injector.ProxyLabel]},
		},
		Spec:   corev1.PodSpec{ServiceAccountName: pod.Spec.ServiceAccountName, NodeName: pod.Spec.NodeName, HostNetwork: pod.Spec.HostNetwork},
		Status: corev1.PodStatus{Phase: phase(pod), PodIPs: pod.Status.PodIPs},
	}, nil
}

func phase(pod *corev1.Pod) corev1.PodPhase {
	sidecar := mesh.SidecarName(pod)
	for _, status := range pod.Status.InitContainerStatuses {
		if status.Name == sidecar && status.State.Running != nil && pod.Status.Phase == corev1.PodPending {
			return corev1.PodRunning
		}
	}
	return pod.Status.Phase
}

// follow calls changed with the namespace of whatever decides on its ConfigMap
// of the name.
func (c *caches) follow(configMap string, changed func(namespace string)) {
	ofNamespace := func(n *corev1.Namespace) { changed(n.Name) }
	ofCopy := func(cm *corev1.ConfigMap) { changed(cm.Namespace) }
	c.namespaces.On(ofNamespace, ofNamespace)
	c.configMaps[configMap].On(ofCopy, ofCopy)
}

// proxies returns the pods that have a sidecar.
func (c *caches) proxies() ([]*corev1.Pod, error) { return c.podLister().List(labels.Everything()) }

func (c *caches) podLister() listersv1.PodLister {
	return listersv1.NewPodLister(c.pods.Informer().GetIndexer())
}

func (c *caches) accountLister() listersv1.ServiceAccountLister {
	return listersv1.NewServiceAccountLister(c.accounts.Informer().GetIndexer())
}

func (c *caches) namespaceLister() listersv1.NamespaceLister {
	return listersv1.NewNamespaceLister(c.namespaces.Informer().GetIndexer())
}

func (c *caches) configMapLister(name string) listersv1.ConfigMapLister {
	return listersv1.NewConfigMapLister(c.configMaps[name].Informer().GetIndexer())
}

// start fills the caches and waits until pods and namespaces are there; false
// means ctx ended first.
func (c *caches) start(ctx context.Context) bool {
	all := []func(context.Context) error{c.namespaces.Run, c.pods.Run, c.services.Run, c.endpoints.Run, c.nodes.Run, c.accounts.Run}
	for _, configMap := range c.configMaps {
		all = append(all, configMap.Run)
	}
	for _, run := range all {
		c.running.Go(func() { _ = run(ctx) }) // never fails
	}
	return cache.WaitForCacheSync(ctx.Done(), c.synced)
}

func (c *caches) synced() bool {
	return c.namespaces.Synced() && c.pods.Synced() && c.accounts.Synced() && c.indexed()
}

// wait returns when everything that start started has ended.
func (c *caches) wait() { c.running.Wait() }
