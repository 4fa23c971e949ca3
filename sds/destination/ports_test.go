package destination

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// declared is a Ports and the lister of its pods.
type declared struct {
	*Ports
	store cache.Indexer
}

func newDeclared() *declared {
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	return &declared{NewPorts(corev1lister.NewPodLister(store)), store}
}

func (d *declared) set(t testing.TB, p *corev1.Pod) {
	t.Helper()
	if err := d.store.Update(p); err != nil {
		t.Fatal(err)
	}
	d.SetPod(p)
}

func (d *declared) remove(t testing.TB, p *corev1.Pod) {
	t.Helper()
	if err := d.store.Delete(p); err != nil {
		t.Fatal(err)
	}
	d.DeletePod(p)
}

// on has an EndpointSlice lead to a port.
func onPort(s *discoveryv1.EndpointSlice, name string, number int32, edits ...func(*discoveryv1.EndpointPort)) *discoveryv1.EndpointSlice {
	port := discoveryv1.EndpointPort{Name: &name, Port: &number}
	for _, edit := range edits {
		edit(&port)
	}
	s.Ports = append(s.Ports, port)
	return s
}

func by(protocol string) func(*discoveryv1.EndpointPort) {
	return func(p *discoveryv1.EndpointPort) { p.AppProtocol = &protocol }
}

func TestPortsAreThoseThatServicesOfThePodsNamespaceDeclare(t *testing.T) {
	pod := runs("shop", "a", "store", "10.0.0.1", "fd00::1")
	cases := []struct {
		name  string
		given func(*declared)
		want  []uint16
	}{
		{"none", func(*declared) {}, nil},
		{"by the port's name", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "http-web", 8080))
		}, []uint16{8080}},
		{"by its protocol, which takes precedence", func(d *declared) {
			d.SetEndpointSlice(onPort(onPort(leads("shop", "s", "store", "10.0.0.1"), "web", 8080, by("kubernetes.io/h2c")), "http", 8443, by("https")))
		}, []uint16{8080}},
		{"by the second family's address", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "fd00::1"), "http", 8080))
		}, []uint16{8080}},
		{"by several Services, in order, each once", func(d *declared) {
			d.SetEndpointSlice(onPort(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 9090), "grpc", 8080))
			d.SetEndpointSlice(onPort(leads("shop", "other", "other", "10.0.0.9", "10.0.0.1"), "http", 9090))
			d.SetEndpointSlice(onPort(leads("shop", "six", "six", "fd00::1"), "http", 7070))
		}, []uint16{7070, 8080, 9090}},
		{"of an endpoint that is not ready", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080)
			s.Endpoints[0].Conditions.Ready = new(false)
			d.SetEndpointSlice(s)
		}, []uint16{8080}},
		{"in another namespace", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("evil", "s", "store", "10.0.0.1"), "http", 5432))
		}, nil},
		{"in another namespace, as the pod's", func(d *declared) {
			s := onPort(leads("evil", "s", "store", "10.0.0.1"), "http", 5432)
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "a"}
			d.SetEndpointSlice(s)
		}, nil},
		{"of another pod", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.2"), "http", 8080)
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "a"}
			d.SetEndpointSlice(s)
		}, nil},
		{"of another pod that claims its address", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 5432)
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "b"}
			d.SetEndpointSlice(s)
		}, nil},
		{"of itself, by name", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080)
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "b"}
			d.SetEndpointSlice(s)
			s = s.DeepCopy()
			s.Endpoints[0].TargetRef.Name = "a"
			d.SetEndpointSlice(s)
		}, []uint16{8080}},
		{"of something else that has its address", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080)
			s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "VirtualMachine", Namespace: "shop", Name: "b"}
			d.SetEndpointSlice(s)
		}, []uint16{8080}},
		{"of no Service", func(d *declared) {
			s := onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080)
			s.Labels = nil
			d.SetEndpointSlice(s)
		}, nil},
		{"of another transport", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 443, func(p *discoveryv1.EndpointPort) { p.Protocol = new(corev1.ProtocolUDP) }))
		}, nil},
		{"without a number, or with one that is none", func(d *declared) {
			s := onPort(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 0), "http-2", 65536+80)
			s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: new("http")})
			d.SetEndpointSlice(s)
		}, nil},
		{"without a name", func(d *declared) {
			s := leads("shop", "s", "store", "10.0.0.1")
			s.Ports = []discoveryv1.EndpointPort{{Port: new(int32(8080)), AppProtocol: new("http")}, {Port: new(int32(8081))}}
			d.SetEndpointSlice(s)
		}, []uint16{8080}},
		{"not any more", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080))
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "tcp", 8080))
		}, nil},
		{"of a Service that is gone", func(d *declared) {
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080))
			d.DeleteEndpointSlice(leads("shop", "s", "store"))
		}, nil},
	}
	for _, c := range cases {
		for _, watched := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, watched %t", c.name, watched), func(t *testing.T) {
				d := newDeclared()
				d.set(t, pod)
				if watched {
					d.Watch("shop", "a", make(chan struct{}, 1))
				}
				c.given(d)
				if got, direct := d.Of("shop", "a"), d.OfPod(pod); !slices.Equal(got, c.want) || !slices.Equal(direct, c.want) {
					t.Errorf("%v and %v, want %v", got, direct, c.want)
				}
			})
		}
	}
}

func TestAPodThatHasEndedHasNoPorts(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod){
		"it has succeeded":        func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"it has failed":           func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
		"it is on the host's":     func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		"it has another address":  func(p *corev1.Pod) { p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.2"}} },
		"it has no address (any)": func(p *corev1.Pod) { p.Status.PodIPs = nil },
	} {
		t.Run(name, func(t *testing.T) {
			d, told := newDeclared(), make(chan struct{}, 1)
			d.set(t, runs("shop", "a", "store", "10.0.0.1"))
			d.SetEndpointSlice(onPort(leads("shop", "s", "store", "10.0.0.1"), "http", 8080))
			d.Watch("shop", "a", told)
			if got := d.Of("shop", "a"); !slices.Equal(got, []uint16{8080}) {
				t.Fatalf("%v", got)
			}
			p := runs("shop", "a", "store", "10.0.0.1")
			change(p)
			d.set(t, p)
			select {
			case <-told:
			default:
				t.Error("no one was told")
			}
			if got := d.Of("shop", "a"); got != nil {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestOfOnePodSoManyPortsCount(t *testing.T) {
	d := newDeclared()
	d.set(t, runs("shop", "a", "store", "10.0.0.1"))
	for i := range 12 {
		s := leads("shop", "s"+strconv.Itoa(i), "store", "10.0.0.1")
		for j := range 100 {
			onPort(s, "http-"+strconv.Itoa(j), int32(1+100*i+j))
		}
		d.SetEndpointSlice(s)
	}
	if got := d.Of("shop", "a"); len(got) != maxPorts || got[0] != 1 || got[maxPorts-1] != maxPorts {
		t.Errorf("%d ports, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}

// slowly returns what Of should, by a look at everything.
func slowly(pod *corev1.Pod, all map[string]*discoveryv1.EndpointSlice) (ports []uint16) {
	if pod == nil || pod.Status.Phase != corev1.PodRunning {
		return nil
	}
	for _, s := range all {
		for _, own := range pod.Status.PodIPs {
			if s.Namespace == pod.Namespace && slices.Contains(s.Endpoints[0].Addresses, own.IP) && *s.Ports[0].Name == "http" &&
				(s.Endpoints[0].TargetRef == nil || s.Endpoints[0].TargetRef.Name == pod.Name) {
				ports = append(ports, uint16(*s.Ports[0].Port))
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// TestWhateverHappensThePortsAreThoseOfASlowLook also has a reader that looks
// only when it is told to know what is true.
func TestWhateverHappensThePortsAreThoseOfASlowLook(t *testing.T) {
	d := newDeclared()
	pods, all := map[string]*corev1.Pod{}, map[string]*discoveryv1.EndpointSlice{}
	told := make(chan struct{}, 1)
	d.Watch("ns-0", "o-0", told)
	var seen []uint16
	for step := range 3000 {
		namespace, of := "ns-"+strconv.Itoa(rand.N(2)), "o-"+strconv.Itoa(rand.N(2))
		key, gone := namespace+"/"+of, rand.N(4) == 0
		if rand.N(2) == 0 {
			p := runs(namespace, of, "account", pick("10.0.0.%d"), pick("fd00::%d"))
			if rand.N(4) == 0 {
				p.Status.Phase = corev1.PodFailed
			}
			pods[key] = p
			if d.set(t, p); gone {
				d.remove(t, p)
				delete(pods, key)
			}
		} else {
			s := onPort(leads(namespace, of, "service", pick("10.0.0.%d"), pick("fd00::%d")), []string{"http", "tcp"}[rand.N(2)], rand.N[int32](3)+1)
			if rand.N(2) == 0 {
				s.Endpoints[0].TargetRef = &corev1.ObjectReference{Kind: "Pod", Name: "o-" + strconv.Itoa(rand.N(2))}
			}
			all[key] = s
			if d.SetEndpointSlice(s); gone {
				d.DeleteEndpointSlice(s)
				delete(all, key)
			}
		}
		select {
		case <-told:
			seen = d.Of("ns-0", "o-0")
		default:
		}
		for _, of := range []string{"o-0", "o-1"} {
			if got, want := d.Of("ns-0", of), slowly(pods["ns-0/"+of], all); !slices.Equal(got, want) {
				t.Fatalf("step %d: the ports of %s are %v, want %v", step, of, got, want)
			}
		}
		if want := slowly(pods["ns-0/o-0"], all); !slices.Equal(seen, want) {
			t.Fatalf("step %d: no one was told that the ports are %v, and not %v", step, want, seen)
		}
	}
	d.Unwatch("ns-0", "o-0", told)
	for _, s := range all {
		d.DeleteEndpointSlice(s)
	}
	if n := len(d.slices) + len(d.slicesAt) + len(d.watched) + len(d.watchedAt); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestReadersAndWritersOfPortsMayMeet(t *testing.T) {
	d := newDeclared()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			told := make(chan struct{}, 1)
			for range 300 {
				d.Watch("shop", "a", told)
				d.set(t, runs("shop", "a", "store", pick("10.0.0.%d")))
				d.SetEndpointSlice(onPort(leads("shop", "s"+strconv.Itoa(i), "store", pick("10.0.0.%d")), "http", 80))
				d.Of("shop", "a")
				d.Unwatch("shop", "a", told)
				d.Unwatch("shop", "none", told)
			}
		})
	}
	group.Wait()
}
