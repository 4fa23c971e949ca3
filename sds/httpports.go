package sds

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// httpPortsName is the name of what is no secret: the ports of the proxy's own
// pod that Services declare HTTP. A pod does not know them when it is made, for
// Services may come later.
const httpPortsName = "http-ports"

// HTTPPorts knows which ports of a pod are declared HTTP.
type HTTPPorts interface {
	// Of returns them, in order. The result does not change.
	Of(namespace, pod string) []uint16
	// Watch has the channel, which has room for one, hold something whenever the
	// answer for the pod has changed.
	Watch(namespace, pod string, changed chan<- struct{})
	// Unwatch undoes Watch.
	Unwatch(namespace, pod string, changed chan<- struct{})
}

// ownPorts are those of a stream's pod. Its answer is among those for addresses,
// and says as little of which certificate and bundle are in use.
type ownPorts struct {
	known          HTTPPorts
	namespace, pod string
	http           []uint16
}

// declare says who knows the ports of the proxy's pod, if known at all.
func (p *peers) declare(known HTTPPorts, proxy Proxy) {
	p.own = ownPorts{known: known, namespace: proxy.Namespace, pod: proxy.PodName}
}

// addPorts begins to watch the ports, or forgets what was sent of them.
func (p *peers) addPorts() error {
	switch {
	case p.own.known == nil:
		return refuse(ReasonUnknownSecret, "this replica does not serve which ports are declared HTTP")
	case p.byName[httpPortsName] != nil:
		p.byName[httpPortsName].secret = secret{}
		return nil
	case p.byName == nil:
		p.byName, p.changed = map[string]*answer{}, make(chan struct{}, 1)
	}
	p.byName[httpPortsName] = &answer{}
	p.own.known.Watch(p.own.namespace, p.own.pod, p.changed)
	return nil
}

// removePorts reports whether the name is that of the ports.
func (p *peers) removePorts(name string) bool {
	if name != httpPortsName {
		return false
	}
	p.own.known.Unwatch(p.own.namespace, p.own.pod, p.changed)
	p.own.http = nil
	delete(p.byName, name)
	return true
}

// addresses counts them among what is asked about.
func (p *peers) addresses() int {
	if p.byName[httpPortsName] != nil {
		return len(p.byName) - 1
	}
	return len(p.byName)
}

// lookAtPorts takes in what is declared by now.
func (p *peers) lookAtPorts() {
	asked := p.byName[httpPortsName]
	if asked == nil {
		return
	}
	ports := p.own.known.Of(p.own.namespace, p.own.pod)
	if asked.current == "" || !slices.Equal(ports, p.own.http) {
		p.own.http, asked.current = ports, digest([]byte(listOf(ports)))
	}
}

// encode returns a secret whose content is the ports in decimal, in order, with
// commas between them.
func (o *ownPorts) encode() (*anypb.Any, error) {
	resource, err := anypb.New(&tlsv3.Secret{Name: httpPortsName, Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
		Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: listOf(o.http)}},
	}}})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", httpPortsName, err)
	}
	return resource, nil
}

func listOf(ports []uint16) string {
	var b strings.Builder
	for i, port := range ports {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(port)))
	}
	return b.String()
}
