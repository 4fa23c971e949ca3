// Command soak replaces the root of a mesh again and again while its proxies
// shake hands without pause, and counts the handshakes that fail. Everything is
// real: a Kubernetes of its own, the mesh's own programs with two replicas each,
// proxies that get their certificates over SDS, mutual TLS. In its second half
// it kills a program of the mesh at every step that a root takes, cuts one off
// from the API server, and has one proxy acknowledge nothing.
//
// With -long it goes through faults in turn, while the root is replaced: all of
// that, an API server that stands still, a sealed Vault, clocks that are off, and
// a node that is suspended. Where PIPY names one, Pipys take part.
//
// It ends with status 0 only if no handshake failed and there were as many of
// everything as it was to do.
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

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	certmanager "github.com/osm-edge/osm/test/certmanager/binary"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/cluster/binary"
	"github.com/osm-edge/osm/test/mesh"
	vault "github.com/osm-edge/osm/test/vault/binary"
)

func main() {
	bin := flag.String("bin", "bin", "`directory` of the mesh's binaries")
	short := flag.Bool("short", false, "do a tenth of everything")
	isLong := flag.Bool("long", false, "go on through faults of every kind")
	handshakes := flag.Int64("handshakes", 0, "`number` of handshakes of -long, if not all")
	out := flag.String("out", "", "`directory` for soak.json and soak.svg; by default none is written")
	proxies := flag.Int("proxies", 24, "`number` of proxies")
	flag.Parse()
	if *proxies < 2 {
		fmt.Fprintln(os.Stderr, "soak: a handshake takes two proxies")
		os.Exit(2)
	}
	klog.SetLogger(logr.Discard()) // client-go returns as errors what it logs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	size := full
	if *short {
		size = tenth
	}
	if *isLong {
		size = long
	}
	if *isLong && *handshakes > 0 {
		size = size.scaled(*handshakes)
	}
	size.proxies = *proxies
	soak := &soak{size: size, steps: make(chan struct{}, 1)}
	err := soak.perform(ctx, *bin)
	if *out != "" {
		err = errors.Join(err, soak.write(*out))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	fmt.Println(soak.tally.String())
	if err != nil {
		os.Exit(1)
	}
}

// perform starts Kubernetes, does it all and stops Kubernetes again.
func (s *soak) perform(ctx context.Context, bin string) (err error) {
	if err := build(ctx); err != nil {
		return err
	}
	if s.cluster, err = cluster.Start(ctx, cluster.Options{Images: images(bin), Log: os.Stdout}); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, keepLogs(s.cluster))
		}
		err = errors.Join(err, s.stopAuthorities(), s.cluster.Stop())
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, s.size.limit, fmt.Errorf("not done after %s", s.size.limit))
	defer cancel()
	return s.run(ctx)
}

// build builds what is run, unless it is there.
func build(ctx context.Context) error {
	_, err := binary.Build(ctx, os.Stdout)
	_, err2 := vault.Build(ctx, os.Stdout)
	_, err3 := certmanager.Build(ctx, os.Stdout)
	return errors.Join(err, err2, err3)
}

// images returns the path of each component's binary by its image.
func images(bin string) map[string]string {
	images := map[string]string{}
	for _, name := range mesh.Components {
		images["flomesh/"+name] = filepath.Join(bin, name)
	}
	return images
}
