//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/mesh"
)

// script runs one of demo/ as a person does.
func (tr *trial) script(ctx context.Context, name string, environment ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("..", "..", "demo", name))
	cmd.Env = append([]string{
		"KUBECONFIG=" + tr.node.Kubeconfig(), "HOME=" + tr.home, "PATH=" + tr.node.BinDir() + ":" + os.Getenv("PATH"),
		"K8S_NAMESPACE=" + mesh.Namespace,
	}, environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

const vaultObject = `
apiVersion: config.openservicemesh.io/v1
kind: MeshRootCertificate
metadata: {name: vault, namespace: osm-system}
spec:
  role: Active
  provider:
    vault:
      address: http://vault.osm-system.svc.cluster.local:8200
      role: openservicemesh
      rootsSecretRef: {name: vault-root}
      auth:
        tokenSecretRef: {name: vault-token, key: token}
`

// goToVault has a Vault in the cluster sign, while the buyer calls the store.
func (tr *trial) goToVault(ctx context.Context) error {
	if err := tr.script(ctx, "deploy-vault.sh", "VAULT_TOKEN=of-the-trial"); err != nil {
		return err
	}
	return tr.flood(ctx, func(ctx context.Context) error {
		create := tr.kubectlCommand(ctx, "create", "-f", "-")
		create.Stdin = bytes.NewBufferString(vaultObject)
		if out, err := create.CombinedOutput(); err != nil {
			return fmt.Errorf("create the MeshRootCertificate: %w\n%s", err, out)
		}
		if err := tr.kubectl(ctx, "wait", "mrc/vault", "--for=condition=Signing", "--timeout=1m", "-n", mesh.Namespace); err != nil {
			return err
		}
		root, err := tr.rootOf(ctx, "osm.root")
		if err != nil {
			return err
		}
		tr.root = root
		return tr.follow(ctx)
	})
}

// dropOthers takes out of the mesh namespace what is not of the mesh, and would
// have it stay.
func (tr *trial) dropOthers(ctx context.Context) error {
	return errors.Join(
		tr.kubectl(ctx, "delete", "deployment,service,secret", "-l", "app=vault", "-n", mesh.Namespace),
		tr.kubectl(ctx, "delete", "job", "once", "-n", mesh.Namespace),
		tr.kubectl(ctx, "wait", "pod", "-l", "app=vault", "--for=delete", "--timeout=1m", "-n", mesh.Namespace))
}

// rootOf finds a root that the mesh trusts by its common name.
func (tr *trial) rootOf(ctx context.Context, name string) (*x509.Certificate, error) {
	config, err := tr.client.CoreV1().ConfigMaps("bookstore").Get(ctx, "osm-trust-bundle", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	bundle, err := trustbundle.Parse([]byte(config.Data["ca.crt"]))
	if err != nil {
		return nil, err
	}
	for _, root := range bundle.Roots() {
		if root.Subject.CommonName == name {
			return root, nil
		}
	}
	return nil, fmt.Errorf("the mesh trusts %s, and no root %s", bundle, name)
}

// startCertManager runs cert-manager's controllers in the cluster, and sets them
// up as for a demonstration.
func (tr *trial) startCertManager(ctx context.Context) error {
	if err := certmanager.Install(ctx, tr.node.Config()); err != nil {
		return err
	}
	const namespace = "cert-manager"
	if err := tr.createNamespace(ctx, namespace, nil, nil); err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: namespace}
	_, err := tr.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: namespace}},
	}, metav1.CreateOptions{})
	controllers := corev1.Container{Name: namespace, Image: imageOf("cert-manager-controllers"), ImagePullPolicy: corev1.PullNever, Stdin: true}
	_, err2 := mesh.Deploy(ctx, tr.client, namespace, namespace, controllers)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return tr.script(ctx, "deploy-cert-manager.sh", "CERT_MANAGER_MANIFEST=none")
}

// installAgain installs the mesh with cert-manager as its authority. Its
// namespace is the operator's then: osm uninstall mesh leaves it.
func (tr *trial) installAgain(ctx context.Context) error {
	if err := tr.startCertManager(ctx); err != nil {
		return err
	}
	if _, err := tr.osm(ctx, append([]string{"install", "--atomic", "--set", "osm.certificateProvider.kind=cert-manager"}, images()...)...); err != nil {
		return err
	}
	root, err := tr.readCertManagersRoot(ctx)
	if err != nil {
		return err
	}
	tr.root = root
	for _, pod := range []**corev1.Pod{&tr.buyer, &tr.store, &tr.thief} {
		namespace, name := (*pod).Namespace, (*pod).Spec.ServiceAccountName
		if err := mesh.Restart(ctx, tr.client, namespace, name); err != nil {
			return err
		}
		if *pod, err = mesh.Pod(ctx, tr.client, namespace, name); err != nil {
			return err
		}
	}
	if err := await(ctx, tr.checkSidecars); err != nil {
		return err
	}
	return errors.Join(tr.call(ctx), tr.refuseThief(ctx))
}

func (tr *trial) readCertManagersRoot(ctx context.Context) (*x509.Certificate, error) {
	secret, err := tr.client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	bundle, err := trustbundle.Parse(secret.Data["ca.crt"])
	if err != nil {
		return nil, err
	}
	if _, key := secret.Data["private.key"]; key {
		return nil, errors.New("the root's key is in the cluster")
	}
	return bundle.Roots()[0], nil
}
