//go:build e2e

package e2e

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/test/mesh"
)

const rootSecret = "osm-ca-bundle"

func (tr *trial) readRoot(ctx context.Context) (*x509.Certificate, error) {
	secret, err := tr.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	root, err := rootsecret.Parse(secret, time.Now())
	if err != nil {
		return nil, err
	}
	if secret.Type != corev1.SecretTypeOpaque || len(secret.Data) != 3 || len(secret.Data[rootsecret.ExpirationKey]) == 0 {
		return nil, fmt.Errorf("secret %s is of type %s with %d keys", rootSecret, secret.Type, len(secret.Data))
	}
	return root.Certificate, nil
}

func (tr *trial) rotateUnderLoad(ctx context.Context) error {
	return tr.flood(ctx, func(ctx context.Context) error {
		if err := tr.replaceRoot(ctx); err != nil {
			return err
		}
		return tr.follow(ctx)
	})
}

// replaceRoot does what the guide says, word by word.
func (tr *trial) replaceRoot(ctx context.Context) error {
	commands := [][]string{{"delete", "secret", rootSecret, "-n", mesh.Namespace}}
	for _, verb := range []string{"restart", "status"} {
		for _, name := range []string{"osm-controller", "osm-injector", "osm-bootstrap"} {
			commands = append(commands, []string{"rollout", verb, "deploy", name, "-n", mesh.Namespace})
		}
	}
	for _, command := range commands {
		if err := tr.kubectl(ctx, command...); err != nil {
			return err
		}
	}
	root, err := tr.readRoot(ctx)
	if err == nil && root.Equal(tr.root) {
		err = errors.New("the root is the one that was deleted")
	}
	tr.root = root
	return err
}

func (tr *trial) follow(ctx context.Context) error {
	if err := await(ctx, tr.checkSidecars); err != nil {
		return err
	}
	return errors.Join(tr.checkUntouched(ctx, tr.buyer), tr.checkUntouched(ctx, tr.store))
}

// checkUntouched reports a pod that is gone, was restarted, or is not ready.
func (tr *trial) checkUntouched(ctx context.Context, pod *corev1.Pod) error {
	now, err := tr.client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range now.Status.ContainerStatuses {
		if c.RestartCount > 0 || !c.Ready {
			return fmt.Errorf("container %s of pod %s was restarted %d times, ready: %t", c.Name, pod.Name, c.RestartCount, c.Ready)
		}
	}
	return nil
}

// checkStreams waits until the one osm-controller that there is has a stream of
// each sidecar: they verified its certificate of the new root, and it them.
func (tr *trial) checkStreams(ctx context.Context) error {
	sidecars, err := tr.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "osm-proxy-uuid", FieldSelector: "status.phase=Running"})
	if err != nil {
		return err
	}
	controller, err := mesh.Pod(ctx, tr.client, mesh.Namespace, "osm-controller")
	if err != nil {
		return err
	}
	return await(ctx, func(ctx context.Context) error {
		streams, err := tr.metric(ctx, "http://"+controller.Status.PodIP+":9091/metrics", "osm_sds_streams")
		if err == nil && (streams == 0 || streams != float64(len(sidecars.Items))) {
			err = fmt.Errorf("pod %s has %v streams of %d sidecars", controller.Name, streams, len(sidecars.Items))
		}
		return err
	})
}
