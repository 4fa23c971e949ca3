package conformance

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/nameserver"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	controllerName = "osm-controller.osm-system.svc.cluster.local."
	// strangerAddress is of a host that is not the control plane.
	strangerAddress = "10.0.0.3"
	unusedAddress   = "10.0.0.9"
	clusterSearch   = "search bookbuyer.svc.cluster.local svc.cluster.local cluster.local\n"
)

// resolvers are settings of pods' resolvers and what is known to the DNS that
// they ask, and where a sidecar finds osm-controller in spite of them.
var resolvers = map[string]struct {
	conf     string
	table    map[string][]netip.Addr
	domain   string // as the injector knows it
	ips      []netip.Addr
	notAsked string // no question may end so
}{
	"the usual":             {conf: clusterSearch + "options ndots:5\n", table: knows(controllerName), domain: "cluster.local"},
	"ndots:2":               {conf: clusterSearch + "options ndots:2\n", table: knows(controllerName), domain: "cluster.local"},
	"ndots:1":               {conf: clusterSearch, table: knows(controllerName), domain: "cluster.local"},
	"no search list":        {conf: "", table: knows(controllerName), domain: "cluster.local"},
	"an IPv6 name server":   {conf: "nameserver fd00::2\n", table: knows(controllerName), domain: "cluster.local"},
	"another domain":        {conf: clusterSearch + "options ndots:2\n", table: knows("osm-controller.osm-system.svc.k8s.corp."), domain: "k8s.corp"},
	"a domain not known":    {conf: clusterSearch + "options ndots:2\n", table: knows(controllerName)},
	"a domain not guessed":  {conf: "search svc.k8s.corp k8s.corp\noptions ndots:5\n", table: knows("osm-controller.osm-system.svc.k8s.corp.")},
	"a former cluster IP":   {conf: clusterSearch, table: knows(controllerName), domain: "cluster.local", ips: addresses(unusedAddress)},
	"the DNS of a company":  {conf: "search corp.example\n", table: map[string][]netip.Addr{}, domain: "cluster.local", ips: addresses(otherAddress)},
	"one without addresses": {conf: "", table: map[string][]netip.Addr{controllerName: nil}, domain: "cluster.local", ips: addresses(otherAddress)},
	"IPs of both families":  {conf: "", table: map[string][]netip.Addr{}, domain: "cluster.local", ips: addresses("fd00:dead::1", otherAddress)},
	"an IPv6 cluster IP":    {conf: "", table: map[string][]netip.Addr{}, domain: "cluster.local", ips: addresses("fd00::2")},
	"no answers":            {conf: "nameserver " + unusedAddress + "\n", domain: "cluster.local", ips: addresses(otherAddress)},
	"a search domain that knows every name": {
		conf:   "search corp.example svc.cluster.local\noptions ndots:5\n",
		table:  map[string][]netip.Addr{controllerName: addresses(otherAddress), "*.corp.example.": addresses(strangerAddress)},
		domain: "cluster.local", notAsked: "corp.example.",
	},
	"one that knows every name": {
		conf: "", table: map[string][]netip.Addr{"*.local.": addresses(strangerAddress)},
		domain: "cluster.local", ips: addresses(otherAddress),
	},
}

func knows(name string) map[string][]netip.Addr {
	return map[string][]netip.Addr{name: addresses(otherAddress)}
}

func addresses(texts ...string) (parsed []netip.Addr) {
	for _, text := range texts {
		parsed = append(parsed, netip.MustParseAddr(text))
	}
	return parsed
}

func findsOSMControllerWhateverThePodsResolver(t *testing.T, program string) {
	for name, tc := range resolvers {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t, program)
			stranger(t, m.otherPod)
			relay(t, m.otherPod, "[fd00::2]:15128", otherAddress+":15128")
			dns := serveNames(t, m.otherPod, tc.table)
			m.pipyPod.SetResolver(t, withServer(tc.conf))
			p := m.start(func(b *injector.Bootstrap) { b.SDS = sdsOf(t, tc.domain, tc.ips, b.SDS) })
			// A resolver gives up after ten seconds, for each of two streams.
			testkit.Eventually(t, "it is ready", func() bool { return p.ready(pipyAddress) })
			for _, asked := range dns.Asked() {
				if tc.notAsked != "" && strings.HasSuffix(asked, tc.notAsked) {
					t.Errorf("it asks for %s", asked)
				}
			}
		})
	}
}

// keepsItsTokenFromOthers has each address of it lead
// to a host of another certificate.
func keepsItsTokenFromOthers(t *testing.T, program string) {
	m := newMesh(t, program)
	called, said := stranger(t, m.otherPod)
	serveNames(t, m.otherPod, map[string][]netip.Addr{"*.local.": addresses(strangerAddress)})
	m.pipyPod.SetResolver(t, withServer(""))
	m.start(func(b *injector.Bootstrap) { b.SDS = sdsOf(t, "cluster.local", addresses(strangerAddress), b.SDS) })
	testkit.Eventually(t, "calls at each of its addresses, twice", func() bool { return called.Load() >= 4 })
	if said.Load() > 0 {
		t.Errorf("the sidecar said something to %d strangers", said.Load())
	}
	if code, body := ask(m.otherPod, "GET", "http://"+net.JoinHostPort(pipyAddress, "15902")+"/ready", nil); code != 503 {
		t.Errorf("the sidecar is ready: %d %s", code, body)
	}
}

// sdsOf returns what the injector tells sidecars of the SDS server.
func sdsOf(t *testing.T, domain string, ips []netip.Addr, files injector.SDS) injector.SDS {
	t.Helper()
	config, err := injector.NewConfig(injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", ClusterDomain: domain, ControllerIPs: ips,
		SidecarImage: "example.test/sidecar:v1", InitImage: "example.test/osm-init:v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	pod := injected(t, config)
	bootstrap, err := injector.ParseBootstrap([]byte(pod.Annotations[injector.BootstrapAnnotation]))
	if err != nil {
		t.Fatal(err)
	}
	files.Address, files.Fallbacks = bootstrap.SDS.Address, bootstrap.SDS.Fallbacks
	return files
}

func withServer(conf string) string {
	if strings.Contains(conf, "nameserver") {
		return conf
	}
	return "nameserver " + otherAddress + "\n" + conf
}

// serveNames answers questions of DNS at each address of the namespace.
func serveNames(t *testing.T, n *netns.Namespace, table map[string][]netip.Addr) *nameserver.Server {
	t.Helper()
	var conn net.PacketConn
	err := n.Do(func() (err error) {
		conn, err = net.ListenPacket("udp", ":53")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return nameserver.Serve(t, conn, table)
}

// relay leads connections from one address of the namespace to another.
func relay(t *testing.T, n *netns.Namespace, from, to string) {
	t.Helper()
	listener := listen(t, n, from)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := dial(n, to)
			if err != nil {
				in.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					defer way[1].Close()
					_, _ = io.Copy(way[1], way[0]) // the sidecar sees how it ends
				}()
			}
		}
	}()
}

// stranger serves another host's certificate where the control plane is not. It
// counts who calls, and who says something then.
func stranger(t *testing.T, n *netns.Namespace) (called, said *atomic.Int64) {
	t.Helper()
	n.AddAddress(t, "eth0", netip.MustParsePrefix(strangerAddress+"/24"))
	listener := listen(t, n, net.JoinHostPort(strangerAddress, "15128"))
	t.Cleanup(func() { listener.Close() })
	called, said = new(atomic.Int64), new(atomic.Int64)
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t, testkit.CA(t), "cluster.local")}, NextProtos: []string{"h2"}}
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			called.Add(1)
			go func() {
				conn := tls.Server(raw, config)
				defer conn.Close()
				if n, _ := conn.Read(make([]byte, 1)); n > 0 {
					said.Add(1)
				}
			}()
		}
	}()
	return called, said
}
