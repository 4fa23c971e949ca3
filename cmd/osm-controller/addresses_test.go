package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/sds/destination"
)

func rejectedPod(i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bookstore", Name: fmt.Sprint("pod-", i), UID: types.UID(fmt.Sprint("uid-", i))},
		Spec:       corev1.PodSpec{ServiceAccountName: "thief", NodeName: fmt.Sprint("node-", i)},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
	}
}

func TestRejectedAddressesAreWrittenInEventsAndTheLogAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var log bytes.Buffer
		o := &options{Options: component.Options{MeshName: "osm", Namespace: "osm-system"}, replica: "osm-controller-0"}
		logger := slog.New(slog.NewTextHandler(&log, nil))
		x := destination.NewIndex("cluster.local")
		a := newAddresses(x, newEvents(o, client, logger), logger)
		go func() { _ = a.Run(t.Context()) }() // which ends with the test
		x.SetPod(rejectedPod(0))
		x.SetPod(rejectedPod(1))
		synctest.Wait()
		list, err := client.EventsV1().Events("osm-system").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Items) != 1 {
			t.Fatalf("%d events, want 1", len(list.Items))
		}
		event := list.Items[0]
		if event.Type != corev1.EventTypeWarning || event.Reason != "AddressRejected" || event.Related == nil || event.Related.UID != "uid-1" ||
			!strings.Contains(event.Note, "pod bookstore/pod-0 of another node had it first") || !strings.Contains(event.Note, "node-1") {
			t.Errorf("the event is %+v", event)
		}
		for i := range 1000 {
			x.SetPod(rejectedPod(2 + i))
		}
		const wait = 10 * time.Minute // until all that waits is written
		<-time.After(wait)
		synctest.Wait()
		// Each time it writes a rejection or how many were left out. What the
		// fake API server says of Events without a name is not counted.
		times := strings.Count(log.String(), "level=WARN")
		if most := addressEventsAtOnce + int(wait.Seconds()*addressEventsPerSecond) + 1; times > most {
			t.Errorf("it wrote %d times, want %d at most:\n%s", times, most, log.String())
		}
		leftOut := 0
		for _, count := range regexp.MustCompile(`left_out=(\d+)`).FindAllStringSubmatch(log.String(), -1) {
			n, err := strconv.Atoi(count[1])
			if err != nil {
				t.Fatal(err)
			}
			leftOut += n
		}
		if leftOut < 900 {
			t.Errorf("it left out %d of 1,001:\n%s", leftOut, log.String())
		}
	})
}

func TestRangesCountWhereTheNetworkUsesThem(t *testing.T) {
	on := func(node, namespace, ip string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "on-" + node},
			Spec:       corev1.PodSpec{NodeName: node},
			Status:     corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: ip}}},
		}
	}
	self := func(ip string) *corev1.Pod { return on("node-0", "osm-system", ip) }
	onHost := self("172.16.0.1")
	onHost.Spec.HostNetwork = true
	cases := map[string]struct {
		pods   []*corev1.Pod
		ignore bool
		counts bool
	}{
		"osm-controller's own address is of its node's":       {pods: []*corev1.Pod{self("10.244.0.9")}, counts: true},
		"its own address is of another range, as Calico's is": {pods: []*corev1.Pod{self("192.168.3.1")}},
		"it is not a pod":           {counts: true},
		"it is told to ignore them": {pods: []*corev1.Pod{self("10.244.0.9")}, ignore: true},
		"its own address is of a family that the node has not":   {pods: []*corev1.Pod{self("fd00::1")}, counts: true},
		"its own address is an IPv4 address mapped into IPv6":    {pods: []*corev1.Pod{self("::ffff:10.244.0.9")}, counts: true},
		"its own address is mapped into IPv6, and of another":    {pods: []*corev1.Pod{self("::ffff:192.168.3.1")}},
		"it is on the host's network, which tells nothing of it": {pods: []*corev1.Pod{onHost}, counts: true},
		"one of two nodes gives out another range":               {pods: []*corev1.Pod{self("192.168.3.1"), on("node-1", "osm-system", "10.244.1.9")}, counts: true},
		"its node does, and most others do not":                  {pods: []*corev1.Pod{self("192.168.3.1"), on("node-1", "kube-system", "10.244.1.9"), on("node-2", "kube-system", "10.244.2.9")}, counts: true},
		"two of three nodes do":                                  {pods: []*corev1.Pod{self("192.168.3.1"), on("node-1", "kube-system", "192.168.4.1"), on("node-2", "kube-system", "10.244.2.9")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			for _, pod := range c.pods {
				if err := client.Tracker().Add(pod); err != nil {
					t.Fatal(err)
				}
			}
			caches := newCaches(client)
			x := destination.NewIndex("cluster.local")
			for i := range 3 {
				node := &corev1.Node{
					ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)},
					Spec:       corev1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", i)}},
				}
				if err := caches.nodes.Informer().GetIndexer().Add(node); err != nil {
					t.Fatal(err)
				}
				x.SetNode(node)
			}
			x.SetPod(rejectedPod(0)) // has 10.0.0.1
			o := &options{Options: component.Options{Namespace: "osm-system"}, replica: "osm-controller-0", ignorePodCIDRs: c.ignore}
			followRanges(t.Context(), o, client, caches.nodes.Informer().GetIndexer(), x, slog.New(slog.DiscardHandler))
			if believed := len(x.At(netip.MustParseAddr("10.0.0.1"))) == 1; believed == c.counts {
				t.Errorf("the address is believed: %v", believed)
			}
		})
	}
}
