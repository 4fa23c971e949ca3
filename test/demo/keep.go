package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/osm-edge/osm/test/cluster"
)

// detach performs in a process of its own, with those arguments, and returns when
// the story is told and that process stays behind to keep the cluster.
func detach(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	child := exec.Command(self, append(args, "-kept")...)
	child.Stdout, child.Stderr = write, write
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return err
	}
	write.Close() // the child has its own
	interrupt := context.AfterFunc(ctx, func() { child.Process.Signal(syscall.SIGTERM) })
	defer interrupt()
	told := &lastLine{out: os.Stdout}
	if _, err := io.Copy(told, read); err != nil {
		return err
	}
	if !strings.HasPrefix(told.line, "End it with") {
		return errors.Join(errors.New("the story did not hold"), child.Wait())
	}
	return child.Process.Release()
}

// waitKept says how to use the cluster and how to end it, lets go of the
// terminal, and waits for the end of ctx.
func waitKept(ctx context.Context, c *cluster.Cluster) error {
	fmt.Printf("\nIt is left running. Use it with\n\n  export KUBECONFIG=%s PATH=%s:$PATH\n\n", c.Kubeconfig(), c.BinDir())
	fmt.Printf("End it with: kill %d\n", os.Getpid())
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, fd := range []int{1, 2} {
		if err := syscall.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// lastLine passes on what is written and remembers the last line that was not
// empty.
type lastLine struct {
	out  io.Writer
	rest string
	line string
}

func (l *lastLine) Write(p []byte) (int, error) {
	lines := strings.Split(l.rest+string(p), "\n")
	l.rest = lines[len(lines)-1]
	for _, line := range lines {
		if line != "" {
			l.line = line
		}
	}
	return l.out.Write(p)
}
