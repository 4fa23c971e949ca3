package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/survey"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
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
			_, state, err := c.readRoots(command.Context())
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

// readRoots reads the mesh's objects, and which roots are trusted.
func (c *cluster) readRoots(ctx context.Context) (*check.Snapshot, rotation.State, error) {
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

// provider describes an issuer, and where its key is.
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

func newCAShowCommand() *cobra.Command {
	c := newCluster()
	command := &cobra.Command{
		Use:   "show",
		Short: "Show the root that signs, the trusted roots and the progress of a rotation",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			snapshot, state, err := c.readRoots(command.Context())
			if err != nil {
				return err
			}
			_, err = command.OutOrStdout().Write([]byte(describeCA(newTerminal(command.OutOrStdout()), snapshot, state)))
			return err
		},
	}
	c.addFlags(command)
	return command
}

func describeCA(out *terminal, snapshot *check.Snapshot, state rotation.State) string {
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "  %s %s\n", out.in(dim, fmt.Sprintf("%-12s", name)), fmt.Sprintf(format, args...))
	}
	for i := range snapshot.Roots {
		root := &snapshot.Roots[i]
		fmt.Fprintf(&text, "%s\n", out.in(bold, "issuer "+root.Name))
		who, key := provider(root)
		line("role", "%s%s", root.Spec.Role, map[bool]string{true: ", signs"}[meta.IsStatusConditionTrue(root.Status.Conditions, v1.ConditionSigning)])
		line("provider", "%s", who)
		line("key", "%s", key)
		line("trust domain", "%s", root.Spec.TrustDomain)
		if ready := meta.FindStatusCondition(root.Status.Conditions, v1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
			line("problem", "%s", out.in(red, ready.Message))
		}
	}
	for _, root := range state.Bundle().Roots() {
		fmt.Fprintf(&text, "%s\n", out.in(bold, "root "+root.Subject.String()))
		line("issuer", "%s", state.Source(root))
		line("stage", "%s", stageOf(state, root))
		line("expires", "%s, %s", root.NotAfter.UTC().Format(time.RFC3339), until(snapshot.Now, root.NotAfter))
		line("fingerprint", "sha256:%s", trustbundle.Fingerprint(root))
	}
	fmt.Fprintf(&text, "%s %s\n", out.in(bold, "replacement"), describeRotation(snapshot, state))
	return text.String()
}

// stageOf writes a root's stage, and until when a former root is trusted.
func stageOf(state rotation.State, root *x509.Certificate) string {
	stage := string(state.Stage(root))
	if until := state.Until(root); !until.IsZero() {
		return stage + " until " + until.UTC().Format(time.RFC3339)
	}
	return stage
}

// until says how far off a time is.
func until(now, then time.Time) string {
	d := then.Sub(now)
	if d <= 0 {
		return "which is over"
	}
	return "in " + check.Left(d)
}

// describeRotation says how far the replacement of a root is, in a line.
func describeRotation(snapshot *check.Snapshot, state rotation.State) string {
	step, since := state.Step()
	status := rotationOf(snapshot.Roots)
	lasts := max(0, snapshot.Now.Sub(since).Round(time.Second))
	switch step {
	case rotation.Distribute:
		return fmt.Sprintf("distribute for %s: %d of %s acknowledged the new root%s", lasts, status.Acknowledged, countOf(int(status.Pods), "pod"), missing(status))
	case rotation.Sign:
		return fmt.Sprintf("sign for %s: %d of %s replaced%s", lasts, status.Replaced, countOf(int(status.Certificates), "certificate"), heldBack(status))
	case rotation.Retire:
		return "is done, but that the former root stays trusted for a while"
	}
	return "none"
}

func heldBack(status v1.RotationStatus) string {
	if status.HeldBack == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more held back for clocks that are behind", status.HeldBack)
}

func missing(status v1.RotationStatus) string {
	if len(status.Missing) == 0 {
		return ""
	}
	return "; missing: " + strings.Join(status.Missing, ", ")
}
