// Command build makes the cert-manager that package certmanager runs and prints its path.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/osm-edge/osm/test/certmanager/binary"
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
	path, err := binary.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Println(path)
	return err
}
