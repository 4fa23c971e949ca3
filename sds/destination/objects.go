package destination

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/identity"
)

// SetPod takes a pod that has a sidecar, as it is now. It counts while it runs,
// and if it has addresses of its own: those of a pod on the host's network are
// the node's.
func (x *Index) SetPod(p *corev1.Pod) { x.takePod(p, false) }

// takePod also takes a pod that was there at first.
func (x *Index) takePod(p *corev1.Pod, initial bool) {
	id, err := identity.New(x.trustDomain, p.Namespace, p.Spec.ServiceAccountName)
	if err != nil || p.Spec.HostNetwork || p.Status.Phase != corev1.PodRunning {
		x.DeletePod(p)
		return
	}
	var addresses []netip.Addr
	for _, ip := range p.Status.PodIPs {
		addresses = add(addresses, ip.IP)
	}
	next := pod{identity: id, addresses: addresses, uid: p.UID, node: p.Spec.NodeName, created: p.CreationTimestamp.Unix()}
	if p.DeletionTimestamp != nil {
		next.until = p.DeletionTimestamp.Unix()
	}
	x.setPod(nameOf(p), next, initial)
}

// DeletePod takes that a pod is gone.
func (x *Index) DeletePod(p *corev1.Pod) { x.setPod(nameOf(p), pod{}, false) }

func (x *Index) setPod(of name, next pod, initial bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.pods[of]
	if before.equal(next) {
		return
	}
	same := before.uid == next.uid && before.node == next.node
	for _, address := range before.addresses {
		if !same || !slices.Contains(next.addresses, address) {
			x.podsAt.remove(address, of)
		}
	}
	if x.pods[of] = next; len(next.addresses) == 0 {
		delete(x.pods, of)
	}
	x.claim(of, initial)
	x.depart(before.node)
	x.changed(append(slices.Clone(before.addresses), next.addresses...)...)
}

// SetService takes a Service as it is now. Of a headless one nothing counts:
// who calls it calls its pods.
func (x *Index) SetService(s *corev1.Service) {
	var addresses []netip.Addr
	for _, ip := range s.Spec.ClusterIPs {
		addresses = add(addresses, ip)
	}
	x.setService(nameOf(s), addresses)
}

// DeleteService takes that a Service is gone.
func (x *Index) DeleteService(s *corev1.Service) { x.setService(nameOf(s), nil) }

func (x *Index) setService(of name, next []netip.Addr) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.services[of]
	if slices.Equal(before, next) {
		return
	}
	x.servicesAt.move(of, before, next)
	if x.services[of] = next; len(next) == 0 {
		delete(x.services, of)
	}
	x.changed(append(slices.Clone(before), next...)...)
}

// SetEndpointSlice takes an EndpointSlice as it is now: the addresses that a
// Service leads to, ready or not, for rules on nodes lag behind. Who is there
// the pods say.
func (x *Index) SetEndpointSlice(s *discoveryv1.EndpointSlice) {
	next := slice{service: name{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}}
	for _, endpoint := range s.Endpoints {
		for _, ip := range endpoint.Addresses {
			next.addresses = add(next.addresses, ip)
		}
	}
	x.setSlice(nameOf(s), next)
}

// DeleteEndpointSlice takes that an EndpointSlice is gone.
func (x *Index) DeleteEndpointSlice(s *discoveryv1.EndpointSlice) { x.setSlice(nameOf(s), slice{}) }

func (x *Index) setSlice(of name, next slice) {
	x.mu.Lock()
	defer x.mu.Unlock()
	before := x.slices[of]
	if before.service == next.service && slices.Equal(before.addresses, next.addresses) {
		return
	}
	x.slicesAt.move(of, before.addresses, next.addresses)
	if delete(x.slicesOf[before.service], of); len(x.slicesOf[before.service]) == 0 {
		delete(x.slicesOf, before.service)
	}
	if x.slices[of] = next; len(next.addresses) == 0 {
		delete(x.slices, of)
	} else {
		if x.slicesOf[next.service] == nil {
			x.slicesOf[next.service] = set[name]{}
		}
		x.slicesOf[next.service][of] = struct{}{}
	}
	x.changed(append(slices.Clone(x.services[before.service]), x.services[next.service]...)...)
}

func nameOf(o metav1.Object) name { return name{Namespace: o.GetNamespace(), Name: o.GetName()} }

// add appends what is an IP address, once. "None" and host names are none.
func add(to []netip.Addr, ip string) []netip.Addr {
	address, err := netip.ParseAddr(ip)
	if err != nil || slices.Contains(to, address) {
		return to
	}
	return append(to, address.Unmap())
}
