package destination

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/identity"
)

func runs(namespace, podName, account string, ips ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podName},
		Spec:       corev1.PodSpec{ServiceAccountName: account},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	return p
}

func service(namespace, of string, ips ...string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: of}, Spec: corev1.ServiceSpec{ClusterIPs: ips}}
}

func leads(namespace, sliceName, to string, ips ...string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: sliceName, Labels: map[string]string{discoveryv1.LabelServiceName: to}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: ips}},
	}
}

func TestAnAddressIsWhoseThePodsSay(t *testing.T) {
	cases := []struct {
		name  string
		given func(*Index)
		at    string
		want  string
	}{
		{"a pod", func(x *Index) { x.SetPod(runs("shop", "a", "store", "10.0.0.1")) }, "10.0.0.1", "shop/store"},
		{"none", func(x *Index) { x.SetPod(runs("shop", "a", "store", "10.0.0.1")) }, "10.0.0.2", ""},
		{"a pod's second family", func(x *Index) { x.SetPod(runs("shop", "a", "store", "10.0.0.1", "fd00::1")) }, "fd00::1", "shop/store"},
		{"a pod that has finished", func(x *Index) {
			p := runs("shop", "a", "store", "10.0.0.1")
			x.SetPod(p)
			p = p.DeepCopy()
			p.Status.Phase = corev1.PodSucceeded
			x.SetPod(p)
		}, "10.0.0.1", ""},
		{"a pod on the host's network", func(x *Index) {
			p := runs("shop", "a", "store", "10.0.0.1")
			p.Spec.HostNetwork = true
			x.SetPod(p)
		}, "10.0.0.1", ""},
		{"an address that went to another pod", func(x *Index) {
			x.SetPod(runs("shop", "a", "store", "10.0.0.1"))
			x.SetPod(runs("evil", "b", "thief", "10.0.0.1"))
			x.DeletePod(runs("shop", "a", "store"))
		}, "10.0.0.1", "evil/thief"},
		{"a Service's pods", func(x *Index) {
			x.SetPod(runs("shop", "a", "store", "10.0.0.1"))
			x.SetPod(runs("shop", "b", "cellar", "10.0.0.2"))
			x.SetService(service("shop", "store", "10.96.0.1", "fd96::1"))
			x.SetEndpointSlice(leads("shop", "store-1", "store", "10.0.0.1"))
			x.SetEndpointSlice(leads("shop", "store-2", "store", "10.0.0.2", "10.0.0.3"))
		}, "fd96::1", "shop/cellar shop/store"},
		{"a Service of the same name elsewhere", func(x *Index) {
			x.SetPod(runs("shop", "a", "store", "10.0.0.1"))
			x.SetService(service("shop", "store", "10.96.0.1"))
			x.SetEndpointSlice(leads("evil", "store-1", "store", "10.0.0.1"))
		}, "10.96.0.1", ""},
		{"an external IP", func(x *Index) {
			x.SetPod(runs("evil", "a", "thief", "10.0.0.1"))
			s := service("evil", "thief", "10.96.0.1")
			s.Spec.ExternalIPs = []string{"10.96.0.2"}
			x.SetService(s)
			x.SetEndpointSlice(leads("evil", "thief-1", "thief", "10.0.0.1"))
		}, "10.96.0.2", ""},
		{"an endpoint that claims to be a pod", func(x *Index) {
			x.SetPod(runs("shop", "a", "store", "10.0.0.1"))
			x.SetService(service("evil", "thief", "10.96.0.1"))
			s := leads("evil", "thief-1", "thief", "10.0.0.9")
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "a"}
			x.SetEndpointSlice(s)
		}, "10.96.0.1", ""},
		{"a headless Service", func(x *Index) { x.SetService(service("shop", "store", "None")) }, "10.96.0.1", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := NewIndex("cluster.local")
			c.given(x)
			if got := short(x.At(netip.MustParseAddr(c.at))); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func short(ids []identity.Identity) string {
	var names []string
	for _, id := range ids {
		names = append(names, id.Namespace()+"/"+id.ServiceAccount())
	}
	return strings.Join(names, " ")
}

// world is what an Index was told, and the answer the slow way.
type world struct {
	pods     map[string]*corev1.Pod
	services map[string]*corev1.Service
	slices   map[string]*discoveryv1.EndpointSlice
	claims   map[string][]string // the pods that have an address, by when they came
}

func newWorld() *world {
	return &world{map[string]*corev1.Pod{}, map[string]*corev1.Service{}, map[string]*discoveryv1.EndpointSlice{}, map[string][]string{}}
}

// set takes a pod, nil for one that is gone.
func (w *world) set(key string, p *corev1.Pod) {
	var has []string
	if delete(w.pods, key); p != nil && p.Status.Phase == corev1.PodRunning {
		w.pods[key] = p
		for _, own := range p.Status.PodIPs {
			has = append(has, own.IP)
		}
	}
	for ip, by := range w.claims {
		if !slices.Contains(has, ip) {
			w.claims[ip] = slices.DeleteFunc(by, func(of string) bool { return of == key })
		}
	}
	for _, ip := range has {
		if !slices.Contains(w.claims[ip], key) {
			w.claims[ip] = append(w.claims[ip], key)
		}
	}
}

func (w *world) at(ip string) string {
	found := map[string]bool{}
	direct := func(ip string) {
		for _, s := range w.services {
			if slices.Contains(s.Spec.ClusterIPs, ip) {
				return
			}
		}
		if by := w.claims[ip]; len(by) > 0 {
			p := w.pods[by[0]]
			found[p.Namespace+"/"+p.Spec.ServiceAccountName] = true
		}
	}
	direct(ip)
	for _, s := range w.services {
		for _, slice := range w.slices {
			if slices.Contains(s.Spec.ClusterIPs, ip) && slice.Namespace == s.Namespace && slice.Labels[discoveryv1.LabelServiceName] == s.Name {
				for _, endpoint := range slice.Endpoints[0].Addresses {
					direct(endpoint)
				}
			}
		}
	}
	var names []string
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func pick(format string) string { return fmt.Sprintf(format, rand.N(5)) }

// change makes one change at random, to the Index and to the world.
func (w *world) change(x *Index) {
	namespace, of := pick("ns-%d"), pick("o-%d")
	key, gone := namespace+of, rand.N(4) == 0
	switch rand.N(3) {
	case 0:
		p := runs(namespace, of, pick("account-%d"), pick("10.0.0.%d"), pick("fd00::%d"))
		if p.Status.Phase = corev1.PodRunning; rand.N(4) == 0 {
			p.Status.Phase = corev1.PodFailed
		}
		p.Spec.NodeName = key // each has a node of its own
		w.set(key, p)
		if x.SetPod(p); gone {
			x.DeletePod(p)
			w.set(key, nil)
		}
	case 1:
		s := service(namespace, of, pick("10.96.0.%d"), pick("10.0.0.%d"))
		w.services[key] = s
		if x.SetService(s); gone {
			x.DeleteService(s)
			delete(w.services, key)
		}
	default:
		s := leads(namespace, of, pick("o-%d"), pick("10.0.0.%d"), pick("fd00::%d"))
		w.slices[key] = s
		if x.SetEndpointSlice(s); gone {
			x.DeleteEndpointSlice(s)
			delete(w.slices, key)
		}
	}
}

// TestWhateverHappensTheAnswerIsWhatASlowLookWouldFind also has a reader that
// looks only when it is told to hold what is true in the end.
func TestWhateverHappensTheAnswerIsWhatASlowLookWouldFind(t *testing.T) {
	x := NewIndex("cluster.local")
	w := newWorld()
	var all []string
	for i := range 5 {
		all = append(all, fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf("fd00::%d", i), fmt.Sprintf("10.96.0.%d", i))
	}
	told, seen := make(chan struct{}, 1), map[string]string{}
	for i, ip := range all {
		if i%2 == 0 {
			x.Watch(netip.MustParseAddr(ip), told)
		}
	}
	for step := range 1500 {
		w.change(x)
		select {
		case <-told:
			for _, ip := range all {
				seen[ip] = short(x.At(netip.MustParseAddr(ip)))
			}
		default:
		}
		for i, ip := range all {
			got, want := short(x.At(netip.MustParseAddr(ip))), w.at(ip)
			if got != want {
				t.Fatalf("step %d: %s is %q, want %q", step, ip, got, want)
			}
			if i%2 == 0 && seen[ip] != want {
				t.Fatalf("step %d: no one was told that %s is %q now, and not %q", step, ip, want, seen[ip])
			}
		}
	}
	for _, ip := range all {
		x.Unwatch(netip.MustParseAddr(ip), told)
	}
	if len(x.watched) != 0 {
		t.Errorf("%d addresses are watched by no one", len(x.watched))
	}
}

func TestAnIndexForgetsWhatIsGone(t *testing.T) {
	x := NewIndex("cluster.local")
	w := newWorld()
	for range 1000 {
		w.change(x)
	}
	for _, p := range w.pods {
		x.DeletePod(p)
	}
	for _, s := range w.services {
		x.DeleteService(s)
	}
	for _, s := range w.slices {
		x.DeleteEndpointSlice(s)
	}
	if n := len(x.pods) + len(x.services) + len(x.slices) + len(x.podsAt) + len(x.servicesAt) + len(x.slicesAt) + len(x.slicesOf) + len(x.rejected); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestReadersAndWritersMayMeet(t *testing.T) {
	x := NewIndex("cluster.local")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			w := newWorld()
			told := make(chan struct{}, 1)
			for range 500 {
				address := netip.MustParseAddr(pick("10.0.0.%d"))
				x.Watch(address, told)
				w.change(x)
				x.At(address)
				x.Unwatch(address, told)
			}
		})
	}
	group.Wait()
}
