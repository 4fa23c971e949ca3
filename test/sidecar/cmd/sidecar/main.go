// Command sidecar is the reference sidecar as the container of an injected pod:
//
//	sidecar [bootstrap.json]
//	sidecar [what runs Pipy] -- bootstrap.json
//
// It takes the command line that the injector writes for its own, and does
// without the part of the shell and of Pipy.
// The bootstrap config is the argument, the file that OSM_SIDECAR_BOOTSTRAP
// names, or the one that the injector mounts. OSM_SIDECAR_APPLICATION is the
// host:port of the application, if it is not where requests say.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/sidecar"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[i+1:]
	}
	if len(args) > 1 {
		return fmt.Errorf("want the bootstrap config as the one argument, got %q", args)
	}
	file := cmp.Or(append(args, os.Getenv("OSM_SIDECAR_BOOTSTRAP"), injector.BootstrapFile)...)
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the bootstrap config: %w", err)
	}
	bootstrap, err := injector.ParseBootstrap(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(bootstrap.LogLevel)); err != nil {
		return fmt.Errorf("%s: logLevel: %w", file, err)
	}
	s, err := sidecar.New(sidecar.Options{
		Bootstrap:   bootstrap,
		Application: os.Getenv("OSM_SIDECAR_APPLICATION"),
		Logger:      slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
