package cluster

import (
	"context"
	"crypto/x509"
	"net"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/cluster/relay"
)

// openAPI listens on a loopback port for those who use the API server from outside.
func (n *Node) openAPI(a *authority) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.endForward = cancel
	n.forward.Go(func() error { return relay.Forward(ctx, listener, n.relay(), n.plan.hostPort()) })
	if err := a.issue(outside()); err != nil {
		return err
	}
	if err := a.kubeconfig(outside().name, "https://"+listener.Addr().String()); err != nil {
		return err
	}
	n.kubeconfig = n.plan.kubeconfig(outside().name)
	if n.config, err = clientcmd.BuildConfigFromFlags("", n.kubeconfig); err != nil {
		return err
	}
	n.config.QPS = -1
	return nil
}

// outside is the user that those who start the node are.
func outside() leaf {
	user := administrator("outside")
	user.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return user
}
