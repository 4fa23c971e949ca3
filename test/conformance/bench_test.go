package conformance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// clients call at the same time, each as often in a round.
	clients        = 8
	callsPerClient = 25
)

// route is a way from a client to an application, with the times that calls took.
type route struct {
	name    string
	m       *mesh
	took    []time.Duration
	elapsed time.Duration
	clients []*http.Client
}

// BenchmarkRequests calls an application in another network namespace: without a
// sidecar, through two Pipys that carry mutual TLS and nothing more, through two
// Pipys as the mesh's sidecars, and through two reference sidecars. They take
// turns, so that whatever else the machine does slows down all of them.
func BenchmarkRequests(b *testing.B) {
	for _, mode := range []struct {
		name      string
		keepAlive bool
	}{{"Kept", true}, {"Connection", false}} {
		b.Run(mode.name, func(b *testing.B) {
			routes := newRoutes(b, mode.keepAlive)
			for _, p := range routes {
				p.round(b) // the first connects and asks who is there
				p.took, p.elapsed = nil, 0
			}
			for b.Loop() {
				for _, p := range routes {
					p.round(b)
				}
			}
			for _, p := range routes {
				b.ReportMetric(p.rate(), p.name+"-requests/s")
				b.ReportMetric(percentile(p.took, 50), p.name+"-p50-ms")
				b.ReportMetric(percentile(p.took, 99), p.name+"-p99-ms")
			}
			ours := routes[2].rate()
			for i, name := range map[int]string{0: "of-plain", 1: "of-passthrough", 3: "of-reference"} {
				b.ReportMetric(ours/routes[i].rate(), name)
			}
		})
	}
}

func newRoutes(b *testing.B, keepAlive bool) []*route {
	b.Helper()
	program, reference := pipyBinary(b), reference(b)
	routes := []*route{{name: "plain"}, {name: "passthrough"}, {name: "pipy"}, {name: "reference"}}
	for i, join := range []func(*mesh){
		func(*mesh) {},
		func(m *mesh) { m.passThrough() },
		func(m *mesh) { m.both(program) },
		func(m *mesh) { m.both(reference) },
	} {
		p := routes[i]
		p.m = newMesh(b, program)
		join(p.m)
		application(b, p.m.otherPod, "[::]:8080")
		for range clients {
			c := client(p.m.pipyPod)
			c.Transport.(*http.Transport).DisableKeepAlives = !keepAlive
			b.Cleanup(c.CloseIdleConnections)
			p.clients = append(p.clients, c)
		}
	}
	return routes
}

// round has all clients call as often as they do.
func (p *route) round(b *testing.B) {
	b.Helper()
	took := make([][]time.Duration, clients)
	began := time.Now()
	var group errgroup.Group
	for i, c := range p.clients {
		group.Go(func() error {
			for range callsPerClient {
				called := time.Now()
				if err := get(c, "http://"+net.JoinHostPort(otherAddress, "8080")+"/books"); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				took[i] = append(took[i], time.Since(called))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	p.elapsed += time.Since(began)
	p.took = append(p.took, slices.Concat(took...)...)
}

func (p *route) rate() float64 { return float64(len(p.took)) / p.elapsed.Seconds() }

func get(c *http.Client, url string) error {
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d %q", response.StatusCode, body)
	}
	return err
}

// percentile returns the p-th in milliseconds.
func percentile(all []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*p/100].Seconds() * 1000
}
