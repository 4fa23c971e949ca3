// Command demo shows the mesh's main job on a Kubernetes of its own: it installs
// the mesh, lets pods join it, and checks what each of them gets. Certificates
// are signed by the mesh itself, by a Vault or by cert-manager, both of which are
// real. Every line it prints was read back from the system. It ends with status
// 0 only if all held.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	certmanager "github.com/osm-edge/osm/test/certmanager/binary"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/cluster/binary"
	"github.com/osm-edge/osm/test/mesh"
	vault "github.com/osm-edge/osm/test/vault/binary"
)

// timeout bounds the story, once Kubernetes is built.
const timeout = 5 * time.Minute

func main() {
	bin := flag.String("bin", "bin", "`directory` of the mesh's binaries")
	signer := flag.String("cert-manager", tresorKind, "who signs: "+kinds)
	keep := flag.Bool("keep", false, "leave everything running")
	kept := flag.Bool("kept", false, "be the process that is left running; used by -keep")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return perform(ctx, *bin, *signer, *kept) }
	if *keep {
		run = func() error { return detach(ctx, "-bin", *bin, "-cert-manager", *signer) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// perform starts Kubernetes, tells the story and stops Kubernetes again; if it
// is to be kept, only when ctx ends.
func perform(ctx context.Context, bin, signer string, kept bool) (err error) {
	if err := build(ctx, signer); err != nil {
		return err
	}
	started := time.Now()
	c, err := cluster.Start(ctx, cluster.Options{Images: images(bin)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	n, err := newNarrator(c, signer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.authority.stop()) }()
	defer n.end()
	story, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := n.tell(story, started); err != nil {
		showLogs(c)
		return err
	}
	fmt.Printf("\nEvery step held. It took %.0f s.\n", time.Since(started).Seconds())
	if kept {
		return waitKept(ctx, c)
	}
	return nil
}

// build builds what the cluster and the signer run, unless it is there.
func build(ctx context.Context, signer string) (err error) {
	fmt.Println("Starting a Kubernetes control plane of our own. Its first build takes minutes, later starts take seconds.")
	if _, err := binary.Build(ctx, os.Stdout); err != nil {
		return err
	}
	switch signer {
	case tresorKind:
	case vaultKind:
		_, err = vault.Build(ctx, os.Stdout)
	case certManagerKind:
		_, err = certmanager.Build(ctx, os.Stdout)
	default:
		return fmt.Errorf("no one called %q signs: it must be one of %s", signer, kinds)
	}
	return err
}

// images returns the path of each component's binary by its image.
func images(bin string) map[string]string {
	images := map[string]string{}
	for _, name := range mesh.Components {
		images["flomesh/"+name] = filepath.Join(bin, name)
	}
	return images
}
