package conformance

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/testkit"
)

// destinations is how many addresses a sidecar is said to talk to.
const destinations = 20

// BenchmarkMemory reports what a sidecar has in memory once it is ready, and
// once its application has called so many addresses, for Pipy with its shell
// and for the reference sidecar. How often it is run does not matter.
func BenchmarkMemory(b *testing.B) {
	for name, program := range map[string]string{"pipy": pipyBinary(b), "reference": reference(b)} {
		m := newMesh(b, program)
		ca := testkit.CA(b)
		m.trust("first", ca)
		p := m.run(m.pipyPod, "bookbuyer/bookbuyer", program, everything)
		p.waitReady(pipyAddress)
		b.ReportMetric(p.resident(), name+"-idle-MB")
		l := tls.NewListener(listen(b, m.otherPod, "0.0.0.0:8080"), &tls.Config{
			Certificates: []tls.Certificate{certificate(b, ca, "cluster.local")},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: m.manager.Bundle().Pool(),
		})
		acceptFrom(b, l, greet)
		for i := range destinations {
			address := netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)})
			m.otherPod.AddAddresses(b, "eth0", netip.PrefixFrom(address, 24))
			talk(b, m.pipyPod, netip.AddrPortFrom(address, 8080).String(), "220 hello\r\n", "a line\n")
		}
		b.ReportMetric(p.resident(), fmt.Sprintf("%s-%d-addresses-MB", name, destinations))
	}
	b.ReportMetric(0, "ns/op")
}

// connectionsMade is how many are made, one after the other by a few clients.
const connectionsMade = 8_000

// BenchmarkGrowth reports what two sidecars have in memory after a quarter, half
// and all of many connections, each with a handshake: for Pipys that carry mutual
// TLS and nothing more, and for Pipys as the mesh's sidecars. How often it is run
// does not matter.
func BenchmarkGrowth(b *testing.B) {
	for name, join := range map[string]func(*mesh) []*proxy{
		"passthrough": (*mesh).passThrough,
		"pipy": func(m *mesh) []*proxy {
			calling, called := m.both(pipyBinary(b))
			return []*proxy{calling, called}
		},
	} {
		r := &route{name: name, m: newMesh(b, pipyBinary(b))}
		sidecars := join(r.m)
		application(b, r.m.otherPod, "[::]:8080")
		for range clients {
			c := client(r.m.pipyPod)
			c.Transport.(*http.Transport).DisableKeepAlives = true
			r.clients = append(r.clients, c)
		}
		for made := 0; made < connectionsMade; {
			r.round(b)
			made += clients * callsPerClient
			if made == connectionsMade/4 || made == connectionsMade/2 || made == connectionsMade {
				b.ReportMetric(sidecars[0].resident(), fmt.Sprintf("%s-calling-%d-MB", name, made))
				b.ReportMetric(sidecars[1].resident(), fmt.Sprintf("%s-called-%d-MB", name, made))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
}

// resident is the resident memory of all processes of the sidecar's container,
// in megabytes.
func (p *proxy) resident() (sum float64) {
	p.t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, file := range processes {
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/status", &pid); err != nil {
			p.t.Fatal(err)
		}
		if group, err := unix.Getpgid(pid); err != nil || group != p.process.Process.Pid {
			continue // it has ended, or is another's
		}
		content, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			var kilobytes float64
			if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kilobytes); n == 1 {
				sum += kilobytes * 1024 / 1e6
			}
		}
	}
	return sum
}
