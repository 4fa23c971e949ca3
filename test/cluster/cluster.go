// Package cluster runs a real Kubernetes for tests and demonstrations: etcd, API server, controllers and scheduler, built
// once from Go modules and run as plain processes. It owns those processes, their keys and their directory. No process outlives
// the one that started it, whatever ends that; a directory that a killed one left is removed by the next start. It knows
// Kubernetes and nothing of the mesh that is tested on it.
//
// Start gives a control plane with a node that runs chosen images as processes of this machine: fast, and without root.
// StartNode gives a whole node with containers.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/test/cluster/binary"
)

// Options say how a control plane starts. The zero value will do.
type Options struct {
	// Dir takes all that the cluster keeps, and is removed by Stop. Its path must be shorter than 90 bytes, for the Unix
	// socket in it. Default: a new one under the system's temporary directory.
	Dir string
	// Images maps the name of an image, without its tag, to the path of a binary on this machine. A container of such an
	// image runs as a process: the binary with the container's args, its command ignored, and --bind-address, the pod's own
	// loopback address; the container's env, and KUBECONFIG, which names a file with the rights of the pod's service account;
	// no volumes. All other containers only look as if they ran. Default: none.
	Images map[string]string
	// WebhookClient has the API server present a certificate of the cluster's authority to webhooks, for ClientName.
	// Default: it presents none.
	WebhookClient bool
	// Log is told how the start proceeds. Default: none.
	Log io.Writer
}

// Cluster is a running control plane with one node. It is safe for concurrent use.
type Cluster struct {
	plan       controlPlane
	lock       *os.File
	log        *os.File // of the node
	launcher   *launcher
	authority  *authority
	components []*process
	config     *rest.Config
	client     kubernetes.Interface
	services   *services
	node       *fakeNode

	cancel     context.CancelFunc
	background sync.WaitGroup
	stop       func() error

	mu     sync.Mutex
	faults []error
}

// Start starts a control plane and returns when pods can be created: API server, controllers and node answer, and the
// default service account exists. On first use it takes the minutes of Build. The end of ctx ends the start and no more.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	var err error
	if o.Images, err = findBinaries(o.Images); err != nil {
		return nil, err
	}
	bin, err := binary.Build(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	c, err := start(ctx, bin, o)
	if errors.Is(err, errPortTaken) {
		c, err = start(ctx, bin, o)
	}
	if err != nil {
		return nil, fmt.Errorf("starting a control plane: %w", err)
	}
	return c, nil
}

// Kubeconfig is the path of an administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.plan.kubeconfig("admin") }

// Config is what Kubeconfig holds, as a copy, without a limit of the client's own on requests.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// BinDir is the directory of the Kubernetes binaries, of which kubectl is one.
func (c *Cluster) BinDir() string { return c.plan.bin }

// LogDir is the directory of the components' logs. Stop removes it.
func (c *Cluster) LogDir() string { return c.plan.logDir() }

// PodLog is the path of the file that takes the output of the pod's processes. Stop removes it.
func (c *Cluster) PodLog(namespace, pod string) string {
	return c.plan.podLog(namespace, pod)
}

// Signal sends the signal to the processes of the pod. It fails when there are none.
func (c *Cluster) Signal(namespace, pod string, signal syscall.Signal) error {
	return c.node.signal(namespace, pod, signal)
}

// Cut cuts the processes of the pod off from the API server, until fix is called. What is said between them meanwhile
// arrives then. It fails when there are none.
func (c *Cluster) Cut(namespace, pod string) (fix func(), err error) {
	return c.node.cut(namespace, pod)
}

// Dial connects to name.namespace.svc:port, with or without .cluster.local, to the port of a Service's cluster address, or
// to that of a pod, as it would from a pod. A Service without a ready endpoint refuses the connection (ECONNREFUSED).
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.services.dial(ctx, network, address)
}

// Serve makes connections to the port of the Service, "namespace/name", go to one of the addresses, such as those of
// listeners of a test, and no more to its endpoints; without an address it undoes that. The Service itself need not
// exist for Dial by name; it must for the API server, which webhooks name it to.
func (c *Cluster) Serve(service string, port int, addresses ...string) {
	c.services.serve(service, port, addresses)
}

// Stop ends all processes and removes the directory. It returns what went wrong while the cluster ran, if anything
// did: a component that ended, a watch that failed. It may be called again, with the same result.
func (c *Cluster) Stop() error { return c.stop() }

// stopGrace bounds how long a component may take to end by itself: there is no state that it would have to save.
const stopGrace = 5 * time.Second

func (c *Cluster) end() error {
	c.cancel()
	c.background.Wait()
	for _, p := range slices.Backward(c.components) { // the API server can't end in order once etcd has
		p.stop(stopGrace)
	}
	c.launcher.close()
	return errors.Join(c.log.Close(), os.RemoveAll(c.plan.dir), c.lock.Close())
}

// run keeps f running beside the cluster until Stop, which reports its error.
func (c *Cluster) run(ctx context.Context, what string, f func(context.Context) error) {
	c.background.Go(func() {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.faults = append(c.faults, fmt.Errorf("%s: %w", what, err))
		}
	})
}
