package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// errPortTaken says that a port was taken between the moment it was found free and that of its use.
var errPortTaken = errors.New("a port was taken by another process")

func start(ctx context.Context, bin string, o Options) (*Cluster, error) {
	began := time.Now()
	dir, lock, err := claimDir(o.Dir)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log", "node.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Cluster{
		plan:     controlPlane{bin: bin, dir: dir, address: net.IPv4(127, 0, 0, 1)},
		lock:     lock,
		log:      log,
		launcher: newLauncher(),
		cancel:   cancel,
	}
	c.stop = sync.OnceValue(func() error {
		err := c.end()
		return errors.Join(errors.Join(c.faults...), err)
	})
	if err := c.start(ctx, background, o); err != nil {
		return nil, errors.Join(err, c.end())
	}
	// A log that can't be written to is no reason to go without the cluster.
	_, _ = fmt.Fprintf(o.Log, "Kubernetes is ready after %s\n", time.Since(began).Round(100*time.Millisecond))
	return c, nil
}

// start brings up the cluster in the order in which its parts need each other; background lasts until Stop.
func (c *Cluster) start(ctx, background context.Context, o Options) error {
	egress, err := c.prepare(o)
	if err != nil {
		return err
	}
	if err := c.launch(background, c.plan.etcd(), c.plan.apiServer()); err != nil {
		return errors.Join(err, egress.Close())
	}
	c.run(background, "carrying the API server's connections", func(ctx context.Context) error {
		return c.serveEgress(ctx, egress)
	})
	if err := c.await(ctx, "the API server", c.apiServerReady); err != nil {
		return err
	}
	if err := c.launch(background, c.plan.controllerManager(), c.plan.scheduler()); err != nil {
		return err
	}
	if c.node, err = c.newNode(ctx, o.Images); err != nil {
		return err
	}
	c.run(background, "watching Services", c.services.Run)
	c.run(background, "running the node", c.node.Run)
	return c.await(ctx, "the cluster", c.podsCanRun)
}

// prepare makes what the components find when they start: keys, kubeconfigs, and the listener of the way out.
func (c *Cluster) prepare(o Options) (net.Listener, error) {
	var err error
	if c.plan.ports, err = freePorts(); err != nil {
		return nil, fmt.Errorf("finding free ports: %w", err)
	}
	if c.authority, err = c.plan.writePKI(); err != nil {
		return nil, err
	}
	if c.config, err = clientcmd.BuildConfigFromFlags("", c.Kubeconfig()); err != nil {
		return nil, err
	}
	c.config.QPS = -1
	if c.client, err = kubernetes.NewForConfig(c.config); err != nil {
		return nil, err
	}
	c.services = newServices(c.client)
	c.Serve("default/kubernetes", 443, c.plan.hostPort())
	flags, listener, err := listenEgress(c.plan.dir)
	if err != nil {
		return nil, fmt.Errorf("preparing the API server's way to the pods: %w", err)
	}
	if err := c.authority.issue(leaf{
		name: clientFiles, subject: pkix.Name{CommonName: ClientName}, usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if o.WebhookClient {
		presented, err := c.plan.webhookClient()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("preparing what webhooks are shown: %w", err), listener.Close())
		}
		flags = append(flags, presented...)
	}
	c.plan.flags = append(flags, "--endpoint-reconciler-type=none", "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority="+c.plan.pki("ca.crt"),
		"--kubelet-client-certificate="+c.plan.pki(clientFiles+".crt"), "--kubelet-client-key="+c.plan.pki(clientFiles+".key"))
	return listener, nil
}

// launch starts components and watches over them.
func (c *Cluster) launch(background context.Context, commands ...command) error {
	for _, command := range commands {
		p, err := c.launcher.start(command)
		if err != nil {
			return err
		}
		c.components = append(c.components, p)
		c.run(background, "running the control plane", p.outlive)
	}
	return nil
}

// freePorts finds ports that nothing listens on. Nothing reserves them: see errPortTaken.
func freePorts() (ports [3]int, err error) {
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func (c *Cluster) await(ctx context.Context, what string, ready func(context.Context) error) error {
	err := await(ctx, what, c.components, ready)
	for _, p := range c.components {
		if err != nil && bytes.Contains(tail(p.log), []byte("address already in use")) {
			return fmt.Errorf("%w: %w", errPortTaken, err)
		}
	}
	return err
}

func (c *Cluster) apiServerReady(ctx context.Context) error {
	return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func (c *Cluster) podsCanRun(ctx context.Context) error {
	if !c.services.synced() {
		return errors.New("no Service is known yet")
	}
	return podsCanRun(ctx, c.client)
}
