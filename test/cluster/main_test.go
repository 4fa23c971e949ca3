package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/osm-edge/osm/test/cluster"
)

// shared is the cluster of all tests here. They keep apart by namespaces.
var shared = sync.OnceValues(func() (*cluster.Cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return cluster.Start(context.Background(), cluster.Options{
		Images: map[string]string{"localhost/program": self, "localhost/data": os.DevNull},
		Log:    os.Stderr,
	})
})

// used says whether shared was called, which to ask would be to start it.
var used atomic.Bool

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		if err := runProgram(name, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if used.Load() {
		if c, err := shared(); err == nil {
			if err := c.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// unless is an error that says what is not so yet.
func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

var errNotYet = errors.New("not yet")
