// Command build makes the Kubernetes binaries that package cluster runs and prints their directory.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/osm-edge/osm/test/cluster/binaries"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := binaries.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Println(dir)
	return err
}
