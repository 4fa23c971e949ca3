package destination

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// on is a pod that runs on a node, and was created a while ago.
func on(node, account string, age time.Duration, ips ...string) *corev1.Pod {
	p := runs("shop", account+"-0", account, ips...)
	p.Spec.NodeName, p.UID = node, types.UID("uid-of-"+account)
	p.CreationTimestamp = metav1.NewTime(time.Now().Add(-age))
	return p
}

func ends(p *corev1.Pod, in time.Duration) *corev1.Pod {
	p = p.DeepCopy()
	p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(in)}
	return p
}

func finished(p *corev1.Pod) *corev1.Pod {
	p = p.DeepCopy()
	p.Status.Phase = corev1.PodSucceeded
	return p
}

func node(name string, cidrs ...string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDRs: cidrs}}
}

func TestAnAddressIsThePodsThatHadItFirst(t *testing.T) {
	const ip = "10.0.0.1"
	victim, thief := on("a", "store", time.Hour, ip), on("b", "thief", time.Minute, ip)
	older := on("b", "thief", 24*time.Hour, ip)
	next := on("a", "next", time.Second, ip)
	elsewhere := on("c", "next", time.Second, ip)
	cases := []struct {
		name  string
		given func(*Index)
		want  string
		alarm string
	}{
		{"a pod of another node comes after", func(x *Index) { x.SetPod(victim); x.SetPod(thief) }, "shop/store", "shop/thief-0 of_another_node"},
		{"one that is older than the owner", func(x *Index) { x.SetPod(victim); x.SetPod(older) }, "shop/store", "shop/thief-0 of_another_node"},
		{"one that comes and goes", func(x *Index) {
			x.SetPod(older)
			x.SetPod(on("b", "thief", 24*time.Hour, "10.0.0.9"))
			x.SetPod(victim)
			x.SetPod(older)
		}, "shop/store", "shop/thief-0 of_another_node"},
		{"the owner's grace begins", func(x *Index) { x.SetPod(victim); x.SetPod(thief); x.SetPod(ends(victim, 30*time.Second)) }, "shop/store", "shop/thief-0 of_another_node"},
		{"the owner should be gone", func(x *Index) { x.SetPod(ends(victim, -time.Minute)); x.SetPod(elsewhere) }, "shop/next", "shop/store-0 of_another_node"},
		{"the owner is gone", func(x *Index) { x.SetPod(victim); x.DeletePod(victim); x.SetPod(elsewhere) }, "shop/next", ""},
		{"the owner has finished", func(x *Index) { x.SetPod(victim); x.SetPod(finished(victim)); x.SetPod(elsewhere) }, "shop/next", ""},
		{"the next comes before the owner is gone", func(x *Index) { x.SetPod(victim); x.SetPod(elsewhere); x.DeletePod(victim) }, "shop/next", "shop/next-0 of_another_node"},
		{"the node gives it on before the owner is gone", func(x *Index) { x.SetPod(victim); x.SetPod(next) }, "shop/next", ""},
		{"the node gives it on, in the other order", func(x *Index) { x.SetPod(next); x.SetPod(victim) }, "shop/next", ""},
		{"the node gives it on while another claims it", func(x *Index) {
			x.SetPod(victim)
			x.SetPod(thief)
			x.SetPod(next)
			x.DeletePod(victim)
		}, "shop/next", "shop/thief-0 of_another_node"},
		{"both were there at first", func(x *Index) { x.takePod(thief, true); x.takePod(victim, true) }, "shop/store", ""},
		{"one was there at first", func(x *Index) { x.takePod(victim, true); x.SetPod(older) }, "shop/store", "shop/thief-0 of_another_node"},
		{"a pod on the host's network", func(x *Index) {
			p := thief.DeepCopy()
			p.Spec.HostNetwork = true
			x.SetPod(p)
			x.SetPod(victim)
		}, "shop/store", ""},
		{"out of the node's range", func(x *Index) { x.SetNode(node("b", "10.0.1.0/24")); x.SetPod(thief) }, "", "shop/thief-0 out_of_range"},
		{"out of a range that is known later", func(x *Index) { x.SetPod(thief); x.SetNode(node("b", "10.0.1.0/24")) }, "", "shop/thief-0 out_of_range"},
		{"out of range, and first", func(x *Index) {
			x.SetNode(node("a", "10.0.0.0/24", "fd00::/64"))
			x.SetNode(node("b", "10.0.1.0/24", "fd00:0:0:1::/64"))
			x.SetPod(thief)
			x.SetPod(victim)
		}, "shop/store", "shop/thief-0 out_of_range"},
		{"a range of the other family", func(x *Index) { x.SetNode(node("a", "fd00::/64")); x.SetPod(victim) }, "shop/store", ""},
		{"a node that is gone", func(x *Index) {
			x.SetNode(node("a", "10.0.1.0/24"))
			x.DeleteNode(node("a"))
			x.SetPod(victim)
		}, "shop/store", ""},
		{"a node that is gone, and a pod of it not", func(x *Index) {
			x.SetNode(node("b", "10.0.1.0/24"))
			x.SetPod(on("b", "thief", time.Minute, "10.0.1.9"))
			x.DeleteNode(node("b"))
			x.SetPod(thief)
		}, "", "shop/thief-0 out_of_range"},
		{"a node that is gone with all of its pods", func(x *Index) {
			x.SetNode(node("a", "10.0.1.0/24"))
			x.SetPod(on("a", "store", time.Hour, "10.0.1.9"))
			x.DeleteNode(node("a"))
			x.DeletePod(victim)
			x.SetPod(victim)
		}, "shop/store", ""},
		{"ranges that do not count", func(x *Index) { x.SetNode(node("a", "10.0.1.0/24")); x.SetPod(victim); x.IgnoreRanges() }, "shop/store", "shop/store-0 out_of_range"},
		{"a Service's cluster IP", func(x *Index) { x.SetService(service("shop", "store", ip)); x.SetPod(thief) }, "", "shop/thief-0 of_a_service"},
		{"a Service's cluster IP, claimed before", func(x *Index) { x.SetPod(thief); x.SetService(service("shop", "store", ip)) }, "", "shop/thief-0 of_a_service"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := NewIndex("cluster.local")
			var alarms []string
			x.OnRejection(func(r Rejection) { alarms = append(alarms, fmt.Sprint(r.Pod, " ", r.Reason)) })
			watched := netip.MustParseAddr(ip)
			x.Watch(watched, make(chan struct{}, 1))
			c.given(x)
			if got := short(x.At(watched)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if slices.Sort(alarms); c.name != "both were there at first" && strings.Join(slices.Compact(alarms), ", ") != c.alarm {
				t.Errorf("alarms %q, want %q", alarms, c.alarm)
			}
		})
	}
}

func TestAnAddressGoesOnWhenItsOwnerShouldBeGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := NewIndex("cluster.local")
		ip, changed := netip.MustParseAddr("10.0.0.1"), make(chan struct{}, 1)
		x.Watch(ip, changed)
		victim := on("a", "store", time.Hour, "10.0.0.1")
		x.SetPod(ends(victim, 30*time.Second))
		x.SetPod(on("b", "next", time.Second, "10.0.0.1"))
		<-changed
		if got := short(x.At(ip)); got != "shop/store" {
			t.Errorf("within the grace, %q", got)
		}
		<-changed
		if got := short(x.At(ip)); got != "shop/next" {
			t.Errorf("after the grace, %q", got)
		}
	})
}

// Replicas start at different times, and are told in any order of what is there.
func TestReplicasAgreeOnWhatWasThereAtFirst(t *testing.T) {
	pods := []*corev1.Pod{on("a", "store", time.Hour, "10.0.0.1"), on("b", "thief", time.Minute, "10.0.0.1"), on("c", "other", time.Second, "10.0.0.1")}
	for range 20 {
		pods = append(pods[1:], pods[0])
		x := NewIndex("cluster.local")
		client := fake.NewClientset(pods[0], pods[1], pods[2])
		all := informers.NewSharedInformerFactory(client, 0)
		synced, err := x.Follow(Informers{
			Pods: all.Core().V1().Pods().Informer(), Services: all.Core().V1().Services().Informer(),
			EndpointSlices: all.Discovery().V1().EndpointSlices().Informer(), Nodes: all.Core().V1().Nodes().Informer(),
		})
		if err != nil {
			t.Fatal(err)
		}
		all.Start(t.Context().Done())
		deadline := time.After(time.Minute)
		for !synced() {
			select {
			case <-time.After(time.Millisecond):
			case <-deadline:
				t.Fatal("not synced")
			}
		}
		if got := short(x.At(netip.MustParseAddr("10.0.0.1"))); got != "shop/store" {
			t.Fatalf("%q has the address", got)
		}
	}
}
