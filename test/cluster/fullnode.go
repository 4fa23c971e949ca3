package cluster

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/cluster/relay"
)

// NodeOptions say how a full node starts. The zero value will do.
type NodeOptions struct {
	// Dir takes all that the node keeps, and is removed by Stop. Default: a new one under the system's temporary directory.
	// It must lie outside /run, /var/lib and /var/log, which the node hides, and its path be shorter than 60 bytes, because
	// those of Unix sockets in it must be shorter than 108.
	Dir string
	// Images are OCI archives, which pods may use with the imagePullPolicy Never or IfNotPresent. No other image can be had.
	Images []string
	// Log is told how the start proceeds. Default: nobody.
	Log io.Writer
}

// Node is a running Kubernetes of one node with real pods. It has network, mount, pid, host name and IPC namespaces and
// control groups of its own: it changes nothing on the machine, and all of its processes end with this one's.
type Node struct {
	plan       nodePlan
	cgroups    cgroups
	launcher   *launcher
	init       *process   // the first of the pid namespace, with which all end
	processes  []*process // init is the first of them too
	namespaces namespaces
	config     *rest.Config
	kubeconfig string
	forward    errgroup.Group
	endForward context.CancelFunc
	stop       func() error
}

// StartNode starts a full node and returns when its pods can run: the node is Ready and the default service account exists.
// It needs root, and on first use takes the minutes of Build and a download of Debian's container runtime.
func StartNode(ctx context.Context, o NodeOptions) (*Node, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a full node needs root, for its namespaces and control groups")
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	bin, err := Build(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	packages, err := unpackDebian(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	dir, err := nodeDir(o.Dir, bin, packages.root)
	if err != nil {
		return nil, err
	}
	plan, err := newNodePlan(dir, bin, "/osm-"+strings.ToLower(rand.Text()[:8]), packages)
	if err != nil {
		return nil, err
	}
	n := &Node{plan: plan, launcher: newLauncher(), endForward: func() {}}
	n.stop = sync.OnceValue(n.end)
	if err := n.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a full node: %w", err), n.Stop())
	}
	return n, nil
}

// nodeDir makes the directory, and refuses paths that can't be used in a node.
func nodeDir(dir string, others ...string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "osm-node-"); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if len(dir) >= 60 {
		return "", fmt.Errorf("directory %s of the node: choose one whose path is shorter than 60 bytes, for the Unix sockets in it", dir)
	}
	for _, path := range append(others, dir) {
		for _, hidden := range []string{"/run/", "/var/run/", "/var/lib/", "/var/log/"} {
			if strings.HasPrefix(path+"/", hidden) {
				return "", fmt.Errorf("directory %s would be hidden in a node: choose one outside %s (TMPDIR and XDG_CACHE_HOME say where)", path, hidden)
			}
		}
	}
	for _, sub := range []string{"log", "images"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// Kubeconfig is the path of an administrator's kubeconfig, whose server is a loopback port of this machine.
func (n *Node) Kubeconfig() string { return n.kubeconfig }

// Config is what Kubeconfig holds, as a copy.
func (n *Node) Config() *rest.Config { return rest.CopyConfig(n.config) }

// BinDir is the directory of the Kubernetes binaries, of which kubectl is one.
func (n *Node) BinDir() string { return n.plan.bin }

// LogDir is the directory of the components' logs and, in pods/, of those of all containers. Stop removes it.
func (n *Node) LogDir() string { return filepath.Join(n.plan.dir, "log") }

// DialContext connects to a TCP address of the cluster, such as that of a pod or a Service, from the node.
func (n *Node) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return relay.Dial(ctx, n.relay(), address)
}

// Stop ends the node and returns when nothing of it is left, or an error that names what is. It may be called again.
func (n *Node) Stop() error { return n.stop() }

func (n *Node) relay() string { return filepath.Join(n.plan.dir, "relay.sock") }

// openAPI listens on a loopback port for those who use the API server from outside.
func (n *Node) openAPI(a *authority) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.endForward = cancel
	server := net.JoinHostPort(nodeIP, fmt.Sprint(n.plan.ports[0]))
	n.forward.Go(func() error { return relay.Forward(ctx, listener, n.relay(), server) })
	const user = "outside"
	certificate := administrator(user)
	certificate.usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if err := a.issue(certificate); err != nil {
		return err
	}
	if err := a.kubeconfig(user, "https://"+listener.Addr().String()); err != nil {
		return err
	}
	n.kubeconfig = n.plan.kubeconfig(user)
	n.config, err = clientcmd.BuildConfigFromFlags("", n.kubeconfig)
	return err
}
