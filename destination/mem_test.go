package destination

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestMem(t *testing.T) {
	d := newDeclared()
	heap := func() uint64 { var m runtime.MemStats; runtime.GC(); runtime.GC(); runtime.ReadMemStats(&m); return m.HeapAlloc }
	const pods = 10000
	for i := range pods {
		d.set(t, runs("shop", fmt.Sprintf("p-%d", i), "store", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	before := heap()
	for i := 0; i < pods; i += 100 {
		var ips []string
		for j := i; j < i+100; j++ {
			ips = append(ips, fmt.Sprintf("10.%d.%d.%d", j>>16, j>>8&255, j&255))
		}
		d.SetEndpointSlice(on(leads("shop", fmt.Sprintf("s-%d", i), "store", ips...), "http", 8080))
	}
	slices := heap()
	chans := make([]chan struct{}, pods)
	start := time.Now()
	for i := range pods {
		chans[i] = make(chan struct{}, 1)
		d.Watch("shop", fmt.Sprintf("p-%d", i), chans[i])
	}
	watch := time.Since(start)
	after := heap()
	start = time.Now()
	for i := 0; i < pods; i += 100 {
		var ips []string
		for j := i; j < i+100; j++ {
			ips = append(ips, fmt.Sprintf("10.%d.%d.%d", j>>16, j>>8&255, j&255))
		}
		d.SetEndpointSlice(on(leads("shop", fmt.Sprintf("s-%d", i), "store", ips...), "http", 9090))
	}
	t.Logf("slices %d B/pod, watch %d B/pod incl. chan, %v to watch, %v to change all", (slices-before)/pods, (after-slices)/pods, watch, time.Since(start))
	_ = discoveryv1.LabelServiceName
	runtime.KeepAlive(chans); runtime.KeepAlive(d)
}
