// Command nodeinit is the first process of a full node: it starts in network, mount, pid, host name and IPC namespaces of
// its own, makes them a machine that a kubelet can run on, and then only reaps processes and lets connections in. When
// it ends, the kernel ends everything in the namespaces. It knows nothing of Kubernetes but the paths and tunables that
// its components don't let one choose.
//
//	nodeinit -dir DIR -address 10.250.0.2/8 [directory that must stay visible]...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/cluster/relay"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "nodeinit:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("dir", "", "the node's `directory`, which takes the place of /run, /var/lib and /var/log")
	address := flag.String("address", "", "the node's address and network, as `prefix`")
	flag.Parse()
	prefix, err := netip.ParsePrefix(*address)
	if err != nil {
		return err
	}
	if os.Getpid() != 1 {
		return errors.New("not the first process of a pid namespace: it would change the machine's own mounts and network")
	}
	if err := refuseHidden(append(flag.Args(), *dir)); err != nil {
		return err
	}
	if err := prepareMounts(*dir); err != nil {
		return fmt.Errorf("prepare mounts: %w", err)
	}
	if err := prepareNetwork(prefix); err != nil {
		return fmt.Errorf("prepare network: %w", err)
	}
	if err := unix.Sethostname([]byte("node")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	// That it answers shows the outside that all is prepared.
	listener, err := net.Listen("unix", filepath.Join(*dir, "relay.sock"))
	if err != nil {
		return err
	}
	go reap()
	dialer := net.Dialer{Resolver: resolver(prefix.Addr())}
	return relay.ServeConnect(context.Background(), listener, func(ctx context.Context, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", address)
	})
}

// resolver asks the node's own name server, and not those of the machine, which can't be reached.
func resolver(server netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, netip.AddrPortFrom(server, 53).String())
	}}
}

// reap collects the orphans that pid_namespaces(7) hands to the first process of a namespace. Nothing else here has children.
func reap() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for range children {
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
