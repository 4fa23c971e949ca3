// Command build makes the programs that tests run, kubernetes, vault or cert-manager, and prints where each is.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	certmanager "github.com/osm-edge/osm/test/certmanager/binary"
	kubernetes "github.com/osm-edge/osm/test/cluster/binary"
	vault "github.com/osm-edge/osm/test/vault/binary"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	builds := map[string]func(context.Context, io.Writer) (string, error){
		"kubernetes":   kubernetes.Build,
		"vault":        vault.Build,
		"cert-manager": certmanager.Build,
	}
	for _, name := range names {
		build, ok := builds[name]
		if !ok {
			return fmt.Errorf("no program %q: name kubernetes, vault or cert-manager", name)
		}
		path, err := build(ctx, os.Stderr)
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
