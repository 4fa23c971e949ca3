package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/mesh"
)

const rootSecret = "osm-ca-bundle"

// What has a root replaced.
const (
	deleted    = "the root's Secret is deleted"
	restarted  = "it is deleted and everything restarted"
	crashed    = "it is deleted and everything crashes"
	replaced   = "an operator puts a CA of their own there"
	second     = "a second MeshRootCertificate is made Active"
	back       = "it is made Passive again"
	vaultSigns = "a MeshRootCertificate of Vault is made Active"
	cmSigns    = "one of cert-manager is made Active"
	sealed     = "Vault is sealed, and another one made Active"
	unsealed   = "Vault is unsealed, and signs again"
)

// triggers each have another root sign, and return it.
var triggers = map[string]func(*soak, context.Context) (*x509.Certificate, error){
	deleted:    (*soak).deleteRoot,
	restarted:  (*soak).deleteAndRestart,
	crashed:    (*soak).deleteAndCrash,
	replaced:   (*soak).replaceRoot,
	second:     (*soak).makeSecond,
	back:       (*soak).goBack,
	vaultSigns: (*soak).useVault,
	cmSigns:    (*soak).useCertManager,
	sealed:     (*soak).sealVault,
	unsealed:   (*soak).unsealVault,
}

// ownRoot reads the root of the Secret.
func (s *soak) ownRoot(ctx context.Context) (*x509.Certificate, error) {
	secret, err := s.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	root, err := rootsecret.Parse(secret, time.Now())
	return root.Certificate, err
}

// deleteRoot waits until another is made.
func (s *soak) deleteRoot(ctx context.Context) (*x509.Certificate, error) {
	old, err := s.deleteSecret(ctx)
	if err != nil {
		return nil, err
	}
	return s.awaitNewRoot(ctx, old)
}

func (s *soak) deleteSecret(ctx context.Context) (*x509.Certificate, error) {
	old, err := s.ownRoot(ctx)
	if err != nil {
		return nil, err
	}
	return old, s.client.CoreV1().Secrets(mesh.Namespace).Delete(ctx, rootSecret, metav1.DeleteOptions{})
}

func (s *soak) awaitNewRoot(ctx context.Context, old *x509.Certificate) (root *x509.Certificate, err error) {
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var err error
		root, err = s.ownRoot(ctx)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && !root.Equal(old), err
	})
	if err != nil {
		return nil, fmt.Errorf("secret %s has no new root: %w", rootSecret, err)
	}
	return root, nil
}

// deleteAndRestart does what the guide says, in any order.
func (s *soak) deleteAndRestart(ctx context.Context) (*x509.Certificate, error) {
	old, err := s.deleteSecret(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range rand.Perm(len(mesh.Components)) {
		if err := mesh.Restart(ctx, s.client, mesh.Namespace, mesh.Components[i]); err != nil {
			return nil, err
		}
	}
	return s.awaitNewRoot(ctx, old)
}

// deleteAndCrash kills all that hold the key of the root, or make another.
func (s *soak) deleteAndCrash(ctx context.Context) (*x509.Certificate, error) {
	old, err := s.deleteSecret(ctx)
	if err != nil {
		return nil, err
	}
	for _, component := range []string{"osm-bootstrap", "osm-controller"} {
		pods, err := s.componentPods(ctx, component)
		if err != nil {
			return nil, err
		}
		for _, pod := range pods {
			err := s.cluster.Signal(pod.Namespace, pod.Name, syscall.SIGKILL)
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return nil, err
			}
		}
	}
	return s.awaitNewRoot(ctx, old)
}

// componentPods are those of a Deployment of the mesh that are to stay.
func (s *soak) componentPods(ctx context.Context, component string) ([]corev1.Pod, error) {
	pods, err := s.client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + component})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// replaceRoot writes another root into the Secret.
func (s *soak) replaceRoot(ctx context.Context) (*x509.Certificate, error) {
	root, key, err := tresor.NewNamedRoot("An operator's CA")
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	secrets := s.client.CoreV1().Secrets(mesh.Namespace)
	secret, err := secrets.Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	secret.Data = map[string][]byte{
		rootsecret.CertificateKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}),
		rootsecret.PrivateKeyKey:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
	_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
	return root, err
}
