package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/osm-edge/osm/test/cluster/relay"
)

// egressConfig sends what the API server would send into the pods' network, which no machine without kube-proxy has,
// through an HTTP CONNECT proxy. TLS goes on end to end: a webhook is verified by the name of its Service.
const egressConfig = `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds: {udsName: %q}
`

// listenEgress listens for the API server's connections and returns the flags that make it come.
func listenEgress(dir string) ([]string, net.Listener, error) {
	socket := filepath.Join(dir, "egress.sock")
	const most = 107 // unix(7): sun_path has 108 bytes with the final zero
	if len(socket) > most {
		return nil, nil, fmt.Errorf("%s is longer than the %d bytes of a Unix socket's path: choose a shorter directory", socket, most)
	}
	config := filepath.Join(dir, "egress.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, egressConfig, socket), 0o600); err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("unix", socket)
	return []string{"--egress-selector-config-file=" + config}, listener, err
}

// serveEgress connects the API server with whom it asks for, until ctx ends.
func (c *Cluster) serveEgress(ctx context.Context, listener net.Listener) error {
	return relay.ServeConnect(ctx, listener, func(ctx context.Context, address string) (net.Conn, error) {
		return c.Dial(ctx, "tcp", address)
	})
}
