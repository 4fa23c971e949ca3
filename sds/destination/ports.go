package destination

import (
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
)

// maxPorts bounds what is told of one pod. The lowest count: who can add more
// can change the Services that declare them as well.
const maxPorts = 1024

// Ports answers which ports of a pod Services declare HTTP. It goes by the
// EndpointSlices of the pod's own namespace that have an address of the pod, as
// its status has it: in them the ports are resolved. What stands in other
// namespaces decides nothing, for others write it. Nor does an endpoint that is
// meant to be another pod: that one may claim an address that is not its own.
//
// It is safe for concurrent use.
type Ports struct {
	pods corev1lister.PodLister

	mu       sync.RWMutex
	slices   map[name]*declaring
	slicesAt map[place][]*declaring

	watched   map[name]*watchedPod
	watchedAt map[place][]*watchedPod
}

// declaring is an EndpointSlice that declares ports HTTP. Others are not kept.
type declaring struct {
	endpoints []endpoint
	ports     []uint16
}

// watchedPod is a pod that is watched: the answer of now, which is
// replaced and never changed, and who is told when it is.
type watchedPod struct {
	endpoints []endpoint
	ports     []uint16
	by        []chan<- struct{}
}

// NewPorts returns Ports that knows no EndpointSlice. The addresses of pods are
// those of the lister, without which OfPod alone can be asked.
func NewPorts(pods corev1lister.PodLister) *Ports {
	return &Ports{
		pods:      pods,
		slices:    map[name]*declaring{},
		slicesAt:  map[place][]*declaring{},
		watched:   map[name]*watchedPod{},
		watchedAt: map[place][]*watchedPod{},
	}
}

// Of returns, in order, the ports of a pod that are declared HTTP now. The
// result is not to be changed.
func (p *Ports) Of(namespace, pod string) []uint16 {
	of := name{Namespace: namespace, Name: pod}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if w, ok := p.watched[of]; ok {
		return w.ports
	}
	return p.compute(namespace, p.find(of))
}

// OfPod is Of for a pod that need not be in the lister.
func (p *Ports) OfPod(pod *corev1.Pod) []uint16 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.compute(pod.Namespace, endpointsOf(pod))
}

// Watch has the channel, which needs room for one, hold something whenever the
// answer for the pod has changed.
func (p *Ports) Watch(namespace, pod string, changed chan<- struct{}) {
	of := name{Namespace: namespace, Name: pod}
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.watched[of]
	if !ok {
		w = &watchedPod{}
		p.watched[of] = w
		p.move(of, w)
		w.ports = p.compute(namespace, w.endpoints)
	}
	w.by = append(w.by, changed)
}

// Unwatch undoes Watch.
func (p *Ports) Unwatch(namespace, pod string, changed chan<- struct{}) {
	of := name{Namespace: namespace, Name: pod}
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.watched[of]
	if !ok {
		return
	}
	w.by = without(w.by, changed)
	if len(w.by) == 0 {
		delete(p.watched, of)
		leave(p.watchedAt, namespace, w.endpoints, w)
	}
}

// compute looks into the EndpointSlices that have the endpoints.
func (p *Ports) compute(namespace string, endpoints []endpoint) []uint16 {
	var ports []uint16
	for _, e := range endpoints {
		for _, s := range p.slicesAt[place{namespace, e}] {
			ports = append(ports, s.ports...)
		}
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	return slices.Clip(ports[:min(len(ports), maxPorts)])
}

// find returns the endpoints that a pod is.
func (p *Ports) find(of name) []endpoint {
	pod, err := p.pods.Pods(of.Namespace).Get(of.Name)
	if err != nil {
		return nil
	}
	return endpointsOf(pod)
}

// move has a watched pod be where the lister says that it is, and reports
// whether that is news.
func (p *Ports) move(of name, w *watchedPod) bool {
	endpoints := p.find(of)
	if slices.Equal(w.endpoints, endpoints) {
		return false
	}
	leave(p.watchedAt, of.Namespace, w.endpoints, w)
	join(p.watchedAt, of.Namespace, endpoints, w)
	w.endpoints = endpoints
	return true
}

// changed looks again at the watched pods that are one of the endpoints.
func (p *Ports) changed(namespace string, lists ...[]endpoint) {
	again := set[*watchedPod]{}
	for _, endpoints := range lists {
		for _, e := range endpoints {
			for _, w := range p.watchedAt[place{namespace, e}] {
				again[w] = struct{}{}
			}
		}
	}
	for w := range again {
		w.update(p.compute(namespace, w.endpoints))
	}
}

func (w *watchedPod) update(ports []uint16) {
	if slices.Equal(w.ports, ports) {
		return
	}
	w.ports = ports
	for _, changed := range w.by {
		tell(changed)
	}
}
