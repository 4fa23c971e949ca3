package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func newCACommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "ca",
		Short: "Look at, replace and export the roots of a mesh",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(newCAShowCommand(), newCARotateCommand(), newCAExportCommand())
	return command
}

func newCAExportCommand() *cobra.Command {
	c := newCluster()
	command := &cobra.Command{
		Use:   "export",
		Short: "Print the certificates of all roots that are trusted, as PEM",
		Long: `Print the certificates of all roots that the mesh trusts, as PEM. They are
needed to verify a certificate of the mesh from outside. No key is printed.`,
		Example: `  osm ca export > roots.pem`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, state, err := c.authorities(command.Context())
			if err != nil {
				return err
			}
			_, err = command.OutOrStdout().Write(state.Bundle().PEM())
			return err
		},
	}
	c.addFlags(command)
	return command
}

// authorities reads the mesh's objects, and which roots are trusted.
func (c *cluster) authorities(ctx context.Context) (*check.Snapshot, rotation.State, error) {
	reader, err := c.survey()
	if err != nil {
		return nil, rotation.State{}, err
	}
	snapshot, err := reader.Open(ctx)
	if err != nil {
		return nil, rotation.State{}, err
	}
	state, err := readRecord(snapshot.Record, c.meshNamespace)
	return snapshot, state, err
}

func readRecord(record *corev1.ConfigMap, namespace string) (rotation.State, error) {
	if record == nil {
		return rotation.State{}, fmt.Errorf("configmap %s/%s does not exist: no root is trusted yet; see %s", namespace, rotation.ConfigMapName, command(namespace, "check"))
	}
	state, err := rotation.Parse(record.Data)
	if err != nil {
		return rotation.State{}, fmt.Errorf("configmap %s/%s is malformed: %w; see %s", namespace, rotation.ConfigMapName, err, command(namespace, "check"))
	}
	return state, nil
}

// provider says who an authority is, and where its key is.
func provider(root *v1.MeshRootCertificate) (who, key string) {
	switch p := root.Spec.Provider; {
	case p.Vault != nil:
		return fmt.Sprintf("Vault at %s, mount %s, role %s", p.Vault.Address, p.Vault.Mount, p.Vault.Role), "in Vault"
	case p.CertManager != nil:
		ref := p.CertManager.IssuerRef
		return fmt.Sprintf("cert-manager, %s %s", ref.Kind, ref.Name), "where cert-manager's issuer has it"
	case p.Tresor != nil:
		return "tresor, which is built in", fmt.Sprintf("in Secret %s/%s", root.Namespace, p.Tresor.SecretRef.Name)
	}
	return "unknown", "unknown"
}
