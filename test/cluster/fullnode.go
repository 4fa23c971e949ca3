package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/test/cluster/binary"
	"github.com/osm-edge/osm/test/cluster/relay"
)

// NodeOptions say how a full node starts. The zero value will do.
type NodeOptions struct {
	// Dir takes all that the node keeps, and is removed by Stop. It must lie outside /run, /var/lib and /var/log, which the
	// node replaces, and its path be shorter than 70 bytes, for the Unix sockets in it. Default: a new one under the
	// system's temporary directory.
	Dir string
	// Images are OCI archives, which pods may use with the imagePullPolicy Never or IfNotPresent. No other image can be had.
	Images []string
	// Log is told how the start proceeds. Default: none.
	Log io.Writer
}

// Node is a running Kubernetes of one node with real pods. It has network, mount, pid, host name and IPC namespaces and
// control groups of its own: it changes nothing that others on the machine use, and all of its processes end with this
// one. It is safe for concurrent use.
type Node struct {
	plan       nodePlan
	lock       *os.File
	cgroups    cgroups
	launcher   *launcher
	processes  []*process // the first is the first of the pid namespace, with which all end
	namespaces namespaces
	config     *rest.Config
	kubeconfig string
	forward    errgroup.Group
	endForward context.CancelFunc
	stop       func() error
}

// StartNode starts a full node and returns when pods can be created: the node is Ready, and the default service account
// exists. It needs root, and on first use takes the minutes of Build and a download of Debian's container runtime. The
// end of ctx ends the start and no more.
func StartNode(ctx context.Context, o NodeOptions) (*Node, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a full node needs root, for its namespaces and control groups")
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	bin, err := binary.Build(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	packages, err := unpackDebian(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	n, err := startNode(ctx, bin, packages, o)
	if err != nil {
		return nil, fmt.Errorf("starting a full node: %w", err)
	}
	return n, nil
}

// Kubeconfig is the path of an administrator's kubeconfig, whose server is a loopback port of this machine.
func (n *Node) Kubeconfig() string { return n.kubeconfig }

// Config is what Kubeconfig holds, as a copy, without a limit of the client's own on requests.
func (n *Node) Config() *rest.Config { return rest.CopyConfig(n.config) }

// BinDir is the directory of the Kubernetes binaries, of which kubectl is one.
func (n *Node) BinDir() string { return n.plan.bin }

// LogDir is the directory of the components' logs and, in pods/, of those of all containers. Stop removes it.
func (n *Node) LogDir() string { return n.plan.logDir() }

// Dial connects, from the node, to a TCP address of the cluster: that of a pod or of a Service, or name.namespace.svc:port,
// with or without .cluster.local.
func (n *Node) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialling into the node: %w", err)
	}
	if strings.HasSuffix(host, ".svc") {
		host += ".cluster.local"
	}
	return relay.Dial(ctx, n.relay(), net.JoinHostPort(host, port))
}

// Stop ends the node and returns when nothing of it is left, or an error that names what is. It also returns what went
// wrong while the node ran: a component that ended. It may be called again, with the same result.
func (n *Node) Stop() error { return n.stop() }

func (n *Node) relay() string { return filepath.Join(n.plan.dir, "relay.sock") }
