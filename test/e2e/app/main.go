// Command app is an application that knows of no mesh. It is in the pods of the mesh's test, in several parts:
//
//	app serve               is called by others, and calls others when it is told to
//	app get URL WANT        calls once, with nothing before it, and fails unless WANT is answered
//	app work URL WANT       calls until WANT is answered, and has the sidecar end with it
//	app health KIND NUMBER  answers the kubelet's probes of a kind, as it is told to
//	app listen PREFIX NAME...
//	                        counts how often each name, after the prefix, passes in the open where it is
//	app wait                does nothing
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeout leaves a starved machine time.
const timeout = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "get":
		return callFor(args[1], args[2])
	case len(args) == 3 && args[0] == "work":
		return work(ctx, args[1], args[2])
	case len(args) == 3 && args[0] == "health":
		return serveHealth(ctx, args[1], args[2])
	case len(args) > 2 && args[0] == "listen":
		return listenIn(ctx, args[1], args[2:])
	case len(args) == 1 && args[0] == "serve":
		return serveAll(ctx)
	case len(args) == 1 && args[0] == "wait":
		<-ctx.Done()
		return nil
	}
	return fmt.Errorf("cannot do %q", args)
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return serveOn(ctx, listener, handler)
}

func serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: timeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) // which has Serve return
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
