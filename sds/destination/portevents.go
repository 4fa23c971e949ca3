package destination

import (
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// Follow has Ports follow the informers, those of pods and EndpointSlices. What
// is returned reports whether it knows what they began with.
func (p *Ports) Follow(i Informers) (synced func() bool, err error) {
	pods, err1 := i.Pods.AddEventHandler(handler[*corev1.Pod]{p.SetPod, p.DeletePod})
	endpoints, err2 := i.EndpointSlices.AddEventHandler(handler[*discoveryv1.EndpointSlice]{p.SetEndpointSlice, p.DeleteEndpointSlice})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return func() bool { return pods.HasSynced() && endpoints.HasSynced() }, nil
}

// SetPod and DeletePod take that the lister has a pod anew, or no more.
func (p *Ports) SetPod(pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := nameOf(pod)
	if w, ok := p.watched[of]; ok && p.move(of, w) {
		w.update(p.compute(of.Namespace, w.endpoints))
	}
}

// DeletePod is SetPod for a pod that is gone.
func (p *Ports) DeletePod(pod *corev1.Pod) { p.SetPod(pod) }

// SetEndpointSlice takes an EndpointSlice of a Service as it is now. Endpoints
// count whether they are ready or not.
func (p *Ports) SetEndpointSlice(s *discoveryv1.EndpointSlice) {
	next := &declaring{}
	if next.ports = declaredHTTP(s); len(next.ports) > 0 {
		next.endpoints = endpointsIn(s)
	}
	p.setSlice(nameOf(s), next)
}

// DeleteEndpointSlice takes that an EndpointSlice is gone.
func (p *Ports) DeleteEndpointSlice(s *discoveryv1.EndpointSlice) {
	p.setSlice(nameOf(s), &declaring{})
}

func (p *Ports) setSlice(of name, next *declaring) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.slices[of]
	if before == nil {
		before = &declaring{}
	}
	if slices.Equal(before.ports, next.ports) && slices.Equal(before.endpoints, next.endpoints) {
		return
	}
	leave(p.slicesAt, of.Namespace, before.endpoints, before)
	join(p.slicesAt, of.Namespace, next.endpoints, next)
	if p.slices[of] = next; len(next.endpoints) == 0 {
		delete(p.slices, of)
	}
	p.changed(of.Namespace, before.endpoints, next.endpoints)
}

// declaredHTTP are the TCP ports of a Service's EndpointSlice that are.
func declaredHTTP(s *discoveryv1.EndpointSlice) (ports []uint16) {
	if s.Labels[discoveryv1.LabelServiceName] == "" {
		return nil
	}
	for _, port := range s.Ports {
		if number, is := httpPort(port); is {
			ports = append(ports, number)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func httpPort(port discoveryv1.EndpointPort) (uint16, bool) {
	if port.Port == nil || port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
		return 0, false
	}
	name, number := "", uint16(*port.Port)
	if port.Name != nil {
		name = *port.Name
	}
	return number, number > 0 && int32(number) == *port.Port && mesh.IsHTTP(port.AppProtocol, name)
}
