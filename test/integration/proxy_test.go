package integration

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

// startProxy runs the sidecar of an injected pod until the test's end.
func startProxy(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, pod *corev1.Pod) *sidecar.Sidecar {
	t.Helper()
	proxy, err := sidecar.New(proxyOptions(t, c, client, pod))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- proxy.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return proxy
}

// runProxy returns the sidecar once it is ready.
func runProxy(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, pod *corev1.Pod) (*sidecar.Sidecar, sidecar.State) {
	t.Helper()
	proxy := startProxy(t, c, client, pod)
	state, err := proxy.Wait(testkit.Context(t, 30*time.Second), sidecar.State.Ready)
	if err != nil {
		t.Fatal(err)
	}
	return proxy, state
}

func proxyOptions(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, pod *corev1.Pod) sidecar.Options {
	t.Helper()
	options, err := mesh.ProxyOptions(c, client, pod, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// chainError says why the chain of a sidecar does not end with the root, if it does not.
func chainError(state sidecar.State, root *x509.Certificate) error {
	if state.Certificate() == nil {
		return errors.New("there is no certificate")
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, der := range state.Certificate().Certificate[1:] {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		intermediates.AddCert(certificate)
	}
	_, err := state.Leaf().Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	return err
}
