package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/survey"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

const rotateHelp = `Replace the root of a mesh by a new one, and show each step, with the pods that
acknowledge the new root as they do.

The Secret of the root is deleted, osm-bootstrap makes another, and the mesh does
the rest: the new root is trusted everywhere first, then it signs, and the old one
stays trusted as long as a certificate of it can live. No connection fails, and
nothing has to be restarted. The old root's key is gone then: back it up before,
if you may want it back.

osm ends when nothing uses the old root any more. If you stop it before, the
replacement continues.

A root of your own, one of Vault or one of cert-manager is replaced where it comes
from: osm prints how.`

// rotateOptions are the options of osm ca rotate.
type rotateOptions struct {
	cluster *cluster
	timeout time.Duration
}

func newCARotateCommand() *cobra.Command {
	o := &rotateOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the root of a mesh, and watch",
		Long:  rotateHelp,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.cluster.addFlags(command)
	command.Flags().DurationVar(&o.timeout, "timeout", 15*time.Minute, "stop watching after this `time`")
	return command
}

func (o *rotateOptions) run(ctx context.Context, out *terminal) error {
	reader, err := o.cluster.survey()
	if err != nil {
		return err
	}
	snapshot, err := reader.Open(ctx)
	if err != nil {
		return err
	}
	state, err := readRecord(snapshot.Record, o.cluster.meshNamespace)
	if err != nil {
		return err
	}
	secret, err := replaceable(snapshot, state)
	if err != nil {
		return err
	}
	if err := remove(ctx, reader, snapshot, secret); err != nil {
		return err
	}
	fmt.Fprintf(out, "the root in Secret %s/%s is deleted; osm-bootstrap makes a new one\n", snapshot.Namespace, secret)
	watching, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	err = (&rotationWatch{out: out, survey: reader, before: state}).run(watching)
	if err != nil && watching.Err() != nil {
		fmt.Fprintln(out, "\nthe replacement continues without osm: see "+snapshot.Command("ca show", false))
		if ctx.Err() != nil {
			return nil // told to stop watching
		}
		return fmt.Errorf("the old root is still in use after %s", o.timeout)
	}
	return err
}

// replaceable returns the name of the Secret of the root that signs, or why it
// is not to be deleted.
func replaceable(snapshot *check.Snapshot, state rotation.State) (string, error) {
	root := signing(snapshot.Roots)
	if root == nil {
		return "", errors.New("no MeshRootCertificate signs, so there is nothing to replace: see " + snapshot.Command("check", false))
	}
	if step, _ := state.Step(); step == rotation.Distribute || step == rotation.Sign {
		return "", fmt.Errorf("a root is being replaced, at step %s: wait for its end, see %s", step, snapshot.Command("ca show", false))
	}
	if n := len(state.Bundle().Roots()); n >= rotation.MaxRoots {
		return "", fmt.Errorf("%d roots are trusted, and a new one waits until a former one is dropped, at %s: the key of the root that signs would be gone before", n, state.NextDropped().Format(time.RFC3339))
	}
	if root.Spec.Provider.Tresor == nil {
		return "", fmt.Errorf("the mesh did not make the root of MeshRootCertificate %s: %s", root.Name, snapshot.Replacement(root))
	}
	name := root.Spec.Provider.Tresor.SecretRef.Name
	secret := snapshot.Secrets[name]
	if secret == nil {
		return "", fmt.Errorf("secret %s/%s does not exist: osm-bootstrap is about to make a root; see %s", snapshot.Namespace, name, snapshot.Command("check", false))
	}
	if len(secret.Finalizers) > 0 {
		return "", fmt.Errorf("secret %s/%s would not be gone once it is deleted: it %s", snapshot.Namespace, name, waitsForFinalizers(secrets.GroupVersionResource, secret))
	}
	if _, err := rootsecret.Parse(secret, snapshot.Now); err != nil {
		return "", err
	}
	if other := snapshot.Replacement(root); other != "" {
		return "", fmt.Errorf("secret %s/%s holds a root that the mesh did not make: %s", snapshot.Namespace, name, other)
	}
	if d := snapshot.Deployments["osm-bootstrap"]; d == nil || d.Status.AvailableReplicas == 0 {
		return "", errors.New("no osm-bootstrap is available, which would make the new root: see " + snapshot.Command("check", false))
	}
	return name, nil
}

// signing returns the one that signs.
func signing(roots []v1.MeshRootCertificate) *v1.MeshRootCertificate {
	for i := range roots {
		if meta.IsStatusConditionTrue(roots[i].Status.Conditions, v1.ConditionSigning) {
			return &roots[i]
		}
	}
	return nil
}

// remove deletes the Secret, if it is still the one that was looked at.
func remove(ctx context.Context, reader *survey.Survey, snapshot *check.Snapshot, name string) error {
	secret := snapshot.Secrets[name]
	preconditions := &metav1.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion}
	err := reader.Kube.CoreV1().Secrets(snapshot.Namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: preconditions})
	if err != nil {
		return fmt.Errorf("delete the root's Secret: %w", err)
	}
	return nil
}
