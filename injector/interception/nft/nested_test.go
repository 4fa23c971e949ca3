package nft

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

// The ports of a nested container: one that it publishes at the pod's address,
// and one at which it serves.
const (
	publishedPort = 8082
	containerPort = 8083
)

// container has the addresses of a container, and of its gateway in the pod.
var container = map[string]struct{ address, gateway, everywhere string }{
	"IPv4": {"172.17.0.2", "172.17.0.1", "0.0.0.0/0"},
	"IPv6": {"fdd0::2", "fdd0::1", "::/0"},
}

// nestings are ways in which a container is connected to the namespace of a pod.
var nestings = map[string]func(*testing.T, pod, netns.End){
	"a bridge": func(t *testing.T, p pod, eth0 netns.End) {
		p.inside.AddBridge(t, "docker0", gateways()...)
		netns.Connect(t, netns.End{Namespace: p.inside, Name: "veth1"}, eth0)
		p.inside.Plug(t, "veth1", "docker0")
	},
	"a cable": func(t *testing.T, p pod, eth0 netns.End) {
		netns.Connect(t, netns.End{Namespace: p.inside, Name: "veth1", Addresses: gateways()}, eth0)
	},
}

func gateways() []netip.Prefix { return prefixes("172.17.0.1/16", "fdd0::1/64") }

// nest puts a container into the pod, whose server tells that it answers. Docker
// gives what containers send the address of the pod.
func (p pod) nest(t *testing.T, connect func(*testing.T, pod, netns.End)) *netns.Namespace {
	t.Helper()
	nested := netns.New(t)
	connect(t, p, netns.End{Namespace: nested, Name: "eth0", Addresses: prefixes("172.17.0.2/16", "fdd0::2/64")})
	for _, c := range container {
		nested.AddRoute(t, netip.MustParsePrefix(c.everywhere), netip.MustParseAddr(c.gateway))
	}
	p.inside.Forward(t)
	serve(t, nested, ":8083", "container")
	return nested
}

// docker sets the rules of a Docker daemon in the pod: what comes to the
// published port is for the container, and what a container sends outwards is
// sent by the pod.
func (p pod) docker(t *testing.T) {
	t.Helper()
	with(t, p.inside, func(conn *nftables.Conn) error {
		table := conn.AddTable(&nftables.Table{Name: "docker", Family: nftables.TableFamilyINet})
		chain := func(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
			return conn.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: priority})
		}
		publish := []*nftables.Chain{
			chain("prerouting", nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest),
			chain("output", nftables.ChainHookOutput, nftables.ChainPriorityNATDest),
		}
		send := chain("postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
		for _, proto := range protocols(nftables.TableFamilyINet) {
			to := netip.MustParseAddr(container[familyName(proto)].address)
			for _, c := range publish {
				conn.AddRule(&nftables.Rule{Table: table, Chain: c, Exprs: publishTo(proto, to)})
			}
			conn.AddRule(&nftables.Rule{Table: table, Chain: send, Exprs: []expr.Any{
				meta(expr.MetaKeyNFPROTO), is([]byte{proto.number}),
				&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: proto.destination - proto.address.Bytes, Len: proto.address.Bytes},
				is(to.AsSlice()),
				meta(expr.MetaKeyOIFNAME), is(interfaceKey("eth0")),
				&expr.Masq{},
			}})
		}
		return conn.Flush()
	})
}

func familyName(p protocol) string {
	if p.number == unix.NFPROTO_IPV4 {
		return "IPv4"
	}
	return "IPv6"
}

func publishTo(p protocol, to netip.Addr) []expr.Any {
	const port = 2 // a register beside that of the address
	return []expr.Any{
		meta(expr.MetaKeyNFPROTO), is([]byte{p.number}),
		meta(expr.MetaKeyL4PROTO), is([]byte{unix.IPPROTO_TCP}),
		destinationPort(), is(binaryutil.BigEndian.PutUint16(publishedPort)),
		destinationType(), is(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)),
		&expr.Immediate{Register: register, Data: to.AsSlice()},
		&expr.Immediate{Register: port, Data: binaryutil.BigEndian.PutUint16(containerPort)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(p.number), RegAddrMin: register, RegProtoMin: port},
	}
}

// orders are those in which Docker's rules and ours may come into being.
var orders = map[string]func(*testing.T, pod, interception.Config){
	"Docker's rules first": func(t *testing.T, p pod, c interception.Config) { p.docker(t); p.apply(t, c) },
	"Docker's rules later": func(t *testing.T, p pod, c interception.Config) { p.apply(t, c); p.docker(t) },
}

// forEachNesting calls f for each way to connect a container and each order of rules.
func forEachNesting(t *testing.T, c interception.Config, f func(t *testing.T, p pod, nested *netns.Namespace)) {
	for way, connect := range nestings {
		for order, apply := range orders {
			t.Run(way+", "+order, func(t *testing.T) {
				t.Parallel()
				p := newPod(t)
				nested := p.nest(t, connect)
				apply(t, p, c)
				f(t, p, nested)
			})
		}
	}
}

func TestWhatAContainerWithinThePodSendsOutwardsPasses(t *testing.T) {
	forEachNesting(t, config(), func(t *testing.T, p pod, nested *netns.Namespace) {
		for family, addresses := range hosts {
			for _, host := range []string{"peer", "database", "island"} {
				address := net.JoinHostPort(addresses[host], "8080")
				conn, got := dial(t, nested, address)
				if got != "outside "+address {
					t.Errorf("to %s by %s: %s", host, family, got)
				}
				p.apply(t, config())
				if err := echo(conn); err != nil {
					t.Errorf("to %s by %s, when the rules are set again: %v", host, family, err)
				}
			}
		}
	})
}

// TestWhatAContainerWithinThePodSendsToItIsInbound calls the pod's addresses, one
// of which is the container's gateway.
func TestWhatAContainerWithinThePodSendsToItIsInbound(t *testing.T) {
	forEachNesting(t, config(), func(t *testing.T, p pod, nested *netns.Namespace) {
		for family, addresses := range hosts {
			for _, host := range []string{addresses["pod"], addresses["pod at net1"], container[family].gateway} {
				for port, want := range map[string]string{"8080": "inbound sidecar ", "9000": "application "} {
					address := net.JoinHostPort(host, port)
					if _, got := dial(t, nested, address); got != want+address {
						t.Errorf("to %s: %s, want %s", address, got, want)
					}
				}
			}
		}
	})
}

func TestTheSidecarTakesWhatComesToAPublishedPort(t *testing.T) {
	forEachNesting(t, config(), func(t *testing.T, p pod, _ *netns.Namespace) {
		for _, addresses := range hosts {
			address := net.JoinHostPort(addresses["pod"], strconv.Itoa(publishedPort))
			if _, got := dial(t, p.outside, address); got != "inbound sidecar "+address {
				t.Errorf("from outside to %s: %s", address, got)
			}
			if _, got := dial(t, p.inside, address); !strings.HasPrefix(got, "container ") {
				t.Errorf("from the pod to %s: %s", address, got)
			}
		}
	})
}

// TestTheSidecarReachesAPublishedPort calls as the sidecar does, which passes on
// what it took.
func TestTheSidecarReachesAPublishedPort(t *testing.T) {
	c := config()
	c.UID = netns.UID
	forEachNesting(t, c, func(t *testing.T, p pod, _ *netns.Namespace) {
		for family, addresses := range hosts {
			for _, target := range []string{
				net.JoinHostPort(addresses["pod"], strconv.Itoa(publishedPort)),
				net.JoinHostPort(container[family].address, strconv.Itoa(containerPort)),
			} {
				if _, got := dial(t, p.inside, target); !strings.HasPrefix(got, "container ") {
					t.Errorf("to %s: %s", target, got)
				}
			}
		}
	})
}

func TestAPublishedPortThatIsExcludedIsTheContainers(t *testing.T) {
	c := config()
	c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, publishedPort)
	forEachNesting(t, c, func(t *testing.T, p pod, _ *netns.Namespace) {
		for _, addresses := range hosts {
			address := net.JoinHostPort(addresses["pod"], strconv.Itoa(publishedPort))
			if _, got := dial(t, p.outside, address); !strings.HasPrefix(got, "container ") {
				t.Errorf("to %s: %s", address, got)
			}
		}
	})
}

// TestWhatThePodSendsToItsContainersGoesByTheLists is for the pod's own processes.
func TestWhatThePodSendsToItsContainersGoesByTheLists(t *testing.T) {
	excluded := config()
	excluded.ExcludeInterfaces = append(excluded.ExcludeInterfaces, "docker0", "veth1")
	for want, c := range map[string]interception.Config{"outbound sidecar ": config(), "container ": excluded} {
		forEachNesting(t, c, func(t *testing.T, p pod, _ *netns.Namespace) {
			for _, c := range container {
				address := net.JoinHostPort(c.address, strconv.Itoa(containerPort))
				if _, got := dial(t, p.inside, address); got != want+address {
					t.Errorf("to %s: %s, want %s", address, got, want)
				}
			}
		})
	}
}

// TestWhateverComesFirstTheSidecarTakesWhatComesToAPublishedPort sends a segment
// that opens no connection, which only Docker's rules look at, and then connects
// from the same port.
func TestWhateverComesFirstTheSidecarTakesWhatComesToAPublishedPort(t *testing.T) {
	forEachNesting(t, config(), func(t *testing.T, p pod, _ *netns.Namespace) {
		port := uint16(20000)
		for _, loose := range []string{"0", "1"} {
			p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
			for family, addresses := range hosts {
				for _, kind := range segment.Unsolicited() {
					port++
					s := kind.Between(
						netip.AddrPortFrom(netip.MustParseAddr(addresses["peer"]), port),
						netip.AddrPortFrom(netip.MustParseAddr(addresses["pod"]), publishedPort))
					if err := p.outside.Do(s.Send); err != nil {
						t.Fatal(err)
					}
					if _, got := dialFrom(t, p.outside, s.From, s.To.String()); got != "inbound sidecar "+s.To.String() {
						t.Errorf("after %s by %s, loose=%s: %s", kind.Name, family, loose, got)
					}
				}
			}
		}
	})
}

// TestContainersOfOneBridgeReachEachOther has the kernel show what crosses the
// bridge to the rules, as Kubernetes and Docker do (br_netfilter).
func TestContainersOfOneBridgeReachEachOther(t *testing.T) {
	p := newPod(t)
	p.nest(t, nestings["a bridge"])
	for _, parameter := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
		if _, err := os.Stat("/proc/sys/" + parameter); err == nil {
			p.inside.Set(t, parameter, "1")
		}
	}
	other := netns.New(t)
	netns.Connect(t, netns.End{Namespace: p.inside, Name: "veth2"},
		netns.End{Namespace: other, Name: "eth0", Addresses: prefixes("172.17.0.3/16", "fdd0::3/64")})
	p.inside.Plug(t, "veth2", "docker0")
	p.apply(t, config())
	for _, c := range container {
		address := net.JoinHostPort(c.address, strconv.Itoa(containerPort))
		if _, got := dial(t, other, address); got != "container "+address {
			t.Errorf("to %s: %s", address, got)
		}
	}
}
