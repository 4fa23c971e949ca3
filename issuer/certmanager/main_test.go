package certmanager_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	cm "github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/cluster"
)

// The API server and the cert-manager of all tests here. They keep apart by
// namespaces.
var (
	config      *rest.Config
	kubeconfig  string
	binDir      string // of kubectl
	kube        kubernetes.Interface
	objects     dynamic.Interface
	controllers *cm.Controllers
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withCluster(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	c, err := cluster.Connect(ctx, os.Stderr)
	if err != nil {
		return 0, err
	}
	defer func() {
		if stopped := c.Stop(); err == nil {
			err = stopped
		}
	}()
	config, kubeconfig, binDir = c.Config(), c.Kubeconfig(), c.BinDir()
	if kube, err = kubernetes.NewForConfig(config); err != nil {
		return 0, err
	}
	if objects, err = dynamic.NewForConfig(config); err != nil {
		return 0, err
	}
	if err := cm.Install(ctx, config); err != nil {
		return 0, err
	}
	if controllers, err = cm.Start(ctx, cm.Options{Kubeconfig: kubeconfig, Log: os.Stderr}); err != nil {
		return 0, err
	}
	code = m.Run()
	return code, controllers.Stop()
}

// stopControllers stops cert-manager, and has it run again after the test.
func stopControllers(t *testing.T) {
	t.Helper()
	if err := controllers.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { startControllers(t, cm.Options{}) })
}

// startControllers starts another cert-manager in place of the one that runs.
func startControllers(t *testing.T, o cm.Options) {
	t.Helper()
	if err := controllers.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o.Kubeconfig, o.Log = kubeconfig, os.Stderr
	started, err := cm.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	controllers = started
}
