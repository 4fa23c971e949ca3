package cluster

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/image"
)

// startTimeout bounds each wait of a start. On an idle machine none takes more than a few seconds.
const startTimeout = 2 * time.Minute

func (n *Node) start(ctx context.Context, o NodeOptions) error {
	authority, err := n.prepare(ctx)
	if err != nil {
		return err
	}
	if err := n.startInit(ctx); err != nil {
		return err
	}
	if err := n.openAPI(authority); err != nil {
		return fmt.Errorf("opening the API server's port: %w", err)
	}
	client, err := kubernetes.NewForConfig(n.config)
	if err != nil {
		return err
	}
	if err := n.launch(n.plan.containerd(), n.plan.etcd(), n.plan.apiServer()); err != nil {
		return err
	}
	if err := n.importImages(ctx, append([]string{n.pauseArchive()}, o.Images...)); err != nil {
		return fmt.Errorf("importing images: %w", err)
	}
	if err := n.await(ctx, "the API server", func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	if err := n.launch(n.plan.controllerManager(), n.plan.scheduler(), n.plan.kubelet(), n.plan.kubeProxy(), n.plan.coreDNS()); err != nil {
		return err
	}
	return n.await(ctx, "the node", func(ctx context.Context) error { return podsCanRun(ctx, client) })
}

// prepare makes all that needs no process: programs, control groups, keys and configuration.
func (n *Node) prepare(ctx context.Context) (*authority, error) {
	images := filepath.Join(n.plan.dir, "images")
	if err := compileNodePrograms(ctx, images); err != nil {
		return nil, err
	}
	if err := image.PackFile(n.pauseArchive(), image.Options{Binary: filepath.Join(images, "pause"), Name: pauseImage}); err != nil {
		return nil, err
	}
	var err error
	if n.cgroups, err = newCgroups(n.plan.cgroup); err != nil {
		return nil, err
	}
	if err := n.plan.writeConfig(); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return n.plan.writePKI()
}

func (n *Node) pauseArchive() string { return filepath.Join(n.plan.dir, "images", "pause.tar") }

// compileNodePrograms builds the node's own two programs, which Go's build cache makes a matter of a second.
func compileNodePrograms(ctx context.Context, dir string) error {
	const here = "github.com/osm-edge/osm/test/cluster/"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", dir+"/", here+"nodeinit", here+"pause")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the node's programs: %w\n%s", err, out)
	}
	return nil
}

// startInit starts the first process of the namespaces and returns when it has prepared them.
func (n *Node) startInit(ctx context.Context) error {
	p, err := n.launcher.start(command{
		name:       "nodeinit",
		path:       filepath.Join(n.plan.dir, "images", "nodeinit"),
		args:       []string{"-dir", n.plan.dir, "-address", nodeAddress},
		env:        n.plan.env,
		log:        filepath.Join(n.LogDir(), "nodeinit.log"),
		namespaces: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	})
	if err != nil {
		return err
	}
	n.init, n.processes = p, []*process{p}
	if n.namespaces, err = namespacesOf(p.cmd.Process.Pid); err != nil {
		return err
	}
	return n.awaitSocket(ctx, "the namespaces", n.relay())
}

// launch starts the commands inside.
func (n *Node) launch(commands ...command) error {
	for _, c := range commands {
		p, err := n.launcher.start(n.plan.inside(n.init.cmd.Process.Pid, c))
		if err != nil {
			return err
		}
		n.processes = append(n.processes, p)
	}
	return nil
}

func (n *Node) importImages(ctx context.Context, archives []string) error {
	if err := n.awaitSocket(ctx, "containerd", filepath.Join(n.plan.dir, "run/containerd/containerd.sock")); err != nil {
		return err
	}
	for _, archive := range archives {
		absolute, err := filepath.Abs(archive)
		if err != nil {
			return err
		}
		c := n.plan.inside(n.init.cmd.Process.Pid, command{path: "ctr", args: []string{"--namespace=k8s.io", "images", "import", absolute}})
		cmd := exec.CommandContext(ctx, c.path, c.args...)
		cmd.Env = c.env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", archive, err, out)
		}
	}
	return nil
}

func (n *Node) awaitSocket(ctx context.Context, what, path string) error {
	return n.await(ctx, what, func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// await returns when ready returns nil, or with an error when a process ends or the time is up.
func (n *Node) await(ctx context.Context, what string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not there after %s", startTimeout))
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, p := range n.processes {
			select {
			case <-p.done:
				return fmt.Errorf("waiting for %s: %w", what, p.ended())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %w; logs are in %s", what, context.Cause(ctx), err, n.LogDir())
		case <-retry.C:
		}
	}
}

// podsCanRun says what a pod would still have to wait for. The API server refuses pods until both objects that go into
// each of them exist.
func podsCanRun(ctx context.Context, client kubernetes.Interface) error {
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	}) {
		return fmt.Errorf("node is not Ready: %v", node.Status.Conditions)
	}
	if _, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err = client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}
