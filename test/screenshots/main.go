// Command screenshots takes the pictures of the documentation anew: it installs a
// mesh on a Kubernetes of its own, uses the command line tool on a terminal, and
// has a chromium draw what that shows, and the status page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
)

func main() {
	bin := flag.String("bin", "bin", "`directory` of the mesh's binaries")
	docs := flag.String("o", "docs", "`directory` that the pictures are written to")
	flag.Parse()
	klog.SetLogger(logr.Discard()) // client-go returns as errors what it logs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// photographer takes pictures of a mesh.
type photographer struct {
	bin, docs string
	cluster   *cluster.Cluster
	client    kubernetes.Interface
}

func run(ctx context.Context, bin, docs string) (err error) {
	p := &photographer{docs: docs}
	if p.bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	images := map[string]string{}
	for _, name := range mesh.Components {
		images["flomesh/"+name] = filepath.Join(p.bin, name)
	}
	if p.cluster, err = cluster.Start(ctx, cluster.Options{Images: images, Log: os.Stdout}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.cluster.Stop()) }()
	if p.client, err = kubernetes.NewForConfig(p.cluster.Config()); err != nil {
		return err
	}
	return p.session(ctx)
}

// session is what a new user of the mesh does.
func (p *photographer) session(ctx context.Context) error {
	if err := p.picture(ctx, "install", "install", "--set", "osm.osmController.replicaCount=2"); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	for _, pod := range []struct{ namespace, account string }{
		{"bookbuyer", "bookbuyer"}, {"bookstore", "bookstore-v1"}, {"bookstore", "bookstore-v2"}, {"bookwarehouse", "bookwarehouse"},
	} {
		if err := p.join(ctx, pod.namespace, pod.account); err != nil {
			return err
		}
	}
	for _, command := range [][]string{{"rotate", "ca", "rotate"}, {"check", "check"}} {
		if err := p.picture(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return p.page(ctx)
}

// join has a pod take part in the mesh, and plays its sidecar until ctx ends.
func (p *photographer) join(ctx context.Context, namespace, account string) error {
	if err := mesh.Join(ctx, p.client, namespace); err != nil {
		return err
	}
	pod, err := mesh.Deploy(ctx, p.client, namespace, account, corev1.Container{Image: "example/" + account + ":1"})
	if err != nil {
		return err
	}
	options, err := mesh.ProxyOptions(p.cluster, p.client, pod, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	s, err := sidecar.New(options)
	if err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }() // it ends with this program
	_, err = s.Wait(ctx, sidecar.State.Ready)
	return err
}
