// Package component is what the mesh's three daemons have in common: flags,
// logging, the Kubernetes client, and the server of metrics, health and version.
package component

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// Options are the settings of every daemon.
type Options struct {
	// MeshName tells meshes of a cluster apart.
	MeshName string
	// Namespace is the mesh namespace.
	Namespace string
	// BindAddress is the address that servers listen on; all when empty.
	BindAddress string
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
}

// AddFlags adds the flags of the options, with their defaults.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	o.MeshName, o.Namespace = "osm", "osm-system"
	// An empty namespace would be every namespace to the Kubernetes client.
	fs.Func("mesh-name", "name of the mesh (default osm)", label(&o.MeshName))
	fs.Func("namespace", "the mesh namespace (default osm-system)", label(&o.Namespace))
	fs.StringVar(&o.BindAddress, "bind-address", "", "address to listen on; all addresses when empty")
	fs.TextVar(&o.LogLevel, "log-level", slog.LevelInfo, "least level to log: debug, info, warn or error")
}

// label sets a name that is a DNS label, as those of namespaces are (RFC 1123).
func label(name *string) func(string) error {
	return func(value string) error {
		if problems := validation.IsDNS1123Label(value); problems != nil {
			return errors.New(strings.Join(problems, "; "))
		}
		*name = value
		return nil
	}
}

// Listen returns the address of a port.
func (o *Options) Listen(port int) string {
	return net.JoinHostPort(o.BindAddress, strconv.Itoa(port))
}

// Logger logs JSON to standard error, and makes the Kubernetes libraries do the
// same. The level can be set while it does.
func (o *Options) Logger(name string) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(o.LogLevel)
	handler := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	logger := slog.New(handler).With("component", name)
	slog.SetDefault(logger)
	klog.SetLogger(logr.FromSlogHandler(logger.Handler()))
	return logger, level
}

// RESTConfig returns the configuration of KUBECONFIG, or that of the Pod.
func RESTConfig(name string) (*rest.Config, error) {
	load := rest.InClusterConfig
	if file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); file != "" {
		load = func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", file) }
	}
	config, err := load()
	if err != nil {
		return nil, fmt.Errorf("find the Kubernetes API server: %w", err)
	}
	config.UserAgent = name + "/" + Version()
	config.QPS, config.Burst = 50, 100
	return config, nil
}

// Main runs a daemon until it fails or is told to end by SIGTERM or SIGINT, and
// exits.
func Main(name string, run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Parse parses the arguments; a daemon takes flags only.
func Parse(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard) // of the flag package, which prints errors that it returns
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(os.Stderr)
		fs.Usage()
	}
	if err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return nil
}
