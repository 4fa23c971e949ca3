//go:build e2e

// Package e2e installs the mesh from its chart and its images on a node with
// real pods, and uses it as an operator and an application do: by kubectl,
// Services, and what pods present and answer. How the parts of the mesh come to
// that is not its business.
package e2e

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
)

// stepTimeout bounds a step, in which pods may wait for the kubelet to renew
// their volumes.
const stepTimeout = 3 * time.Minute

// trial is what the steps of a test share.
type trial struct {
	node   *cluster.Node
	client kubernetes.Interface
	home   string // of kubectl
	cli    string // the path of osm

	root         *x509.Certificate // of the mesh, as last read
	buyer, store *corev1.Pod
	outside      *corev1.Pod // of no mesh
	thief        *corev1.Pod // of the mesh, with a service account that the store does not sell to
	probed       *corev1.Pod

	failure error // of the step that failed
}

func TestAMeshOfRealPodsGetsItsCertificatesAndFollowsItsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
	tr := startTrial(t, append(pack(t, imageOf), packAuthorities(t)...))
	tr.cli = filepath.Join(osm(t), "osm")
	for _, step := range []struct {
		sentence string
		take     func(context.Context) error
	}{
		{"the chart is installed and osm-bootstrap makes the root", tr.install},
		{"osm-bootstrap completes as a Job, which changes nothing", tr.bootstrapOnce},
		{"pods of labelled namespaces get a sidecar and are ready", tr.deploy},
		{"osm check finds nothing wrong", tr.checkMesh},
		{"each sidecar holds the certificate of its service account", tr.checkSidecars},
		{"a sidecar talks to no one without a certificate", tr.checkAnonymous},
		{"an application that knows of no mesh is told who calls it", tr.call},
		{"and refuses callers that it is not for, whatever they claim", tr.refuseThief},
		{"on the wire its port is mutual TLS, and no one outside gets through", tr.checkWire},
		{"anyone who listens in between hears nothing that is said in the mesh", tr.listenIn},
		{"what is excluded goes straight, and what is not does not go outside", tr.checkExclusions},
		{"Prometheus is told of the sidecar's metrics and gets them", tr.checkMetrics},
		{"a Job calls with its first instruction, and completes", tr.completeJob},
		{"probes of every kind keep an application that has not started waiting", tr.startProbed},
		{"and have it not ready, and ready again, as it says", tr.failReadiness},
		{"and restart it when it says so, with its hooks", tr.failLiveness},
		{"a copy to debug is a pod of the mesh, and so is what is put into a pod to debug", tr.debug},
		{"without the injector other namespaces go on, and the mesh's refuse and recover", tr.stopInjector},
		{"the root is replaced as the guide says, and the sidecars follow, without one failed request", tr.rotateUnderLoad},
		{"the sidecars are connected to the new osm-controller", tr.checkStreams},
		{"the webhooks serve certificates of the new root", tr.checkWebhooks},
		{"they call each other on the new root", tr.call},
		{"a new pod gets a sidecar and is called", tr.replaceStore},
		{"a sidecar that is a plain container does the same, and ends when a Job says so", tr.placePlainly},
		{"a Vault in the cluster signs instead, without one failed request", tr.goToVault},
		{"osm check finds nothing wrong after all that", tr.checkMesh},
		{"the mesh is uninstalled, and nothing is left of it", tr.uninstallAll},
		{"it is installed again, with a cert-manager in the cluster that signs", tr.installAgain},
		{"and uninstalled again", tr.uninstall},
	} {
		held := t.Run(step.sentence, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
			defer cancel()
			if tr.failure = step.take(ctx); tr.failure != nil {
				t.Fatal(tr.failure)
			}
		})
		if !held {
			break
		}
	}
}

// startTrial starts the node, with the images that it may use. When the test is over, nothing of it may be left.
func startTrial(t *testing.T, images []string) *trial {
	t.Helper()
	node, err := cluster.StartNode(t.Context(), cluster.NodeOptions{Images: images, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{node: node, home: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			tr.report(t.Output())
		}
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
	})
	if tr.client, err = kubernetes.NewForConfig(node.Config()); err != nil {
		t.Fatal(err)
	}
	return tr
}
