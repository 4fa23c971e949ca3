// Package netns gives tests network namespaces of their own, joined by virtual
// cables. The tests need not run as root where the kernel lets users
// make user namespaces. The namespaces end with the test, whatever it leaves
// open.
//
// The package must not know what the tests try out in them.
package netns

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace, in which nothing is up but the loopback
// interface.
type Namespace struct {
	work chan func()
	file *os.File
}

// New makes a namespace for the time of the test, whose TestMain must be Run.
func New(t testing.TB) *Namespace {
	t.Helper()
	n := &Namespace{work: make(chan func())}
	made, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// Without an unlock the thread ends with the goroutine, and with it the
		// last that holds the namespace.
		runtime.LockOSThread()
		made <- n.enter()
		for f := range n.work {
			f()
		}
	}()
	t.Cleanup(func() { close(n.work); <-ended })
	if err := <-made; err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() {
		if err := n.file.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := n.Do(func() error { return setUp("lo") }); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *Namespace) enter() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	n.file, err = os.Open("/proc/thread-self/ns/net")
	return err
}

// Do runs f on a thread of the namespace. The sockets and processes that f
// itself opens belong to the namespace for good; a goroutine of its doesn't. f
// must not end the goroutine, as t.Fatal does.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error)
	n.work <- func() { done <- f() }
	return <-done
}
