package cluster

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// startInit starts the first process of the namespaces and returns when it has prepared them.
func (n *Node) startInit(ctx context.Context) error {
	p, err := n.launcher.start(command{
		name:       "nodeinit",
		path:       filepath.Join(n.plan.dir, "nodeinit"),
		args:       []string{"-dir", n.plan.dir, "-address", nodeAddress, n.plan.bin, n.plan.debian.root},
		env:        n.plan.env,
		log:        filepath.Join(n.LogDir(), "nodeinit.log"),
		namespaces: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	})
	if err != nil {
		return err
	}
	n.processes = []*process{p}
	if n.namespaces, err = namespacesOf(n.pid()); err != nil {
		return err
	}
	return n.awaitSocket(ctx, "the namespaces", n.relay())
}

// pid is that of the first process of the namespaces.
func (n *Node) pid() int { return n.processes[0].cmd.Process.Pid }

// launch starts the commands inside.
func (n *Node) launch(commands ...command) error {
	for _, c := range commands {
		p, err := n.launcher.start(n.plan.inside(n.pid(), c))
		if err != nil {
			return err
		}
		n.processes = append(n.processes, p)
	}
	return nil
}

func (n *Node) importImages(ctx context.Context, archives []string) error {
	if err := n.awaitSocket(ctx, "containerd", filepath.Join(n.plan.dir, "run/containerd/containerd.sock")); err != nil {
		return err
	}
	for _, archive := range archives {
		absolute, err := filepath.Abs(archive)
		if err != nil {
			return err
		}
		c := n.plan.inside(n.pid(), command{path: "ctr", args: []string{"--namespace=k8s.io", "images", "import", absolute}})
		cmd := exec.CommandContext(ctx, c.path, c.args...)
		cmd.Env, cmd.WaitDelay = c.env, time.Second // nsenter can be killed, what it runs can't be reached
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", archive, err, out)
		}
	}
	return nil
}

func (n *Node) awaitSocket(ctx context.Context, what, path string) error {
	return await(ctx, what, n.processes, func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// inside runs the command in the namespaces of the process. It ends with that process, which is the first of its pid namespace.
func (p nodePlan) inside(pid int, c command) command {
	c.args = append([]string{"--target=" + strconv.Itoa(pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--", c.path}, c.args...)
	c.path, c.env = "nsenter", p.env
	return c
}
