// Command build makes the Vault that package vault runs and prints its directory.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/osm-edge/osm/test/vault/binary"
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
	dir, err := binary.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	_, err = fmt.Println(dir)
	return err
}
