package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/image"
)

func startNode(ctx context.Context, bin string, packages debian, o NodeOptions) (*Node, error) {
	began := time.Now()
	dir, lock, err := claimDir(o.Dir)
	if err != nil {
		return nil, err
	}
	n := &Node{plan: newNodePlan(dir, bin, packages), lock: lock, launcher: newLauncher(), endForward: func() {}}
	n.stop = sync.OnceValue(func() error { return errors.Join(n.faults(), n.end()) })
	if err := n.start(ctx, o.Images); err != nil {
		return nil, errors.Join(err, n.end())
	}
	// A log that can't be written to is no reason to go without the node.
	_, _ = fmt.Fprintf(o.Log, "Kubernetes is ready after %s\n", time.Since(began).Round(100*time.Millisecond))
	return n, nil
}

// start brings up the node in the order in which its parts need each other.
func (n *Node) start(ctx context.Context, images []string) error {
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
	if err := n.importImages(ctx, append([]string{n.pauseArchive()}, images...)); err != nil {
		return fmt.Errorf("importing images: %w", err)
	}
	if err := await(ctx, "the API server", n.processes, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	if err := n.launch(n.plan.controllerManager(), n.plan.scheduler(), n.plan.kubelet(), n.plan.kubeProxy(), n.plan.coreDNS()); err != nil {
		return err
	}
	return await(ctx, "the node", n.processes, func(ctx context.Context) error { return podsCanRun(ctx, client) })
}

// prepare makes all that needs no process: programs, control groups, keys and configuration.
func (n *Node) prepare(ctx context.Context) (*authority, error) {
	const most = 70 // leaves room for containerd's socket in the 108 bytes of unix(7)
	if len(n.plan.dir) >= most {
		return nil, fmt.Errorf("the path of directory %s is not shorter than %d bytes: choose another", n.plan.dir, most)
	}
	if err := compileNodePrograms(ctx, n.plan.dir); err != nil {
		return nil, err
	}
	pause := image.Options{Binary: filepath.Join(n.plan.dir, "pause"), Name: pauseImage}
	if err := image.PackFile(ctx, n.pauseArchive(), pause); err != nil {
		return nil, err
	}
	var err error
	if n.cgroups, err = cgroupsOf(n.plan.dir); err != nil {
		return nil, err
	}
	if err := n.cgroups.create(); err != nil {
		return nil, err
	}
	if err := n.plan.writeConfig(); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return n.plan.writePKI()
}

func (n *Node) pauseArchive() string { return filepath.Join(n.plan.dir, "pause.tar") }

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
