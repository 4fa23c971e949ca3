package main

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func newCAShowCommand() *cobra.Command {
	c := newCluster()
	command := &cobra.Command{
		Use:   "show",
		Short: "Show the root that signs, the trusted roots and the progress of a rotation",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			snapshot, state, err := c.authorities(command.Context())
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
		fmt.Fprintf(&text, "%s\n", out.in(bold, "authority "+root.Name))
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
		line("authority", "%s", state.Source(root))
		line("stage", "%s", stageOf(state, root))
		line("expires", "%s, %s", root.NotAfter.UTC().Format(time.RFC3339), until(snapshot.Now, root.NotAfter))
		line("fingerprint", "sha256:%s", trustbundle.Fingerprint(root))
	}
	fmt.Fprintf(&text, "%s %s\n", out.in(bold, "replacement"), describeRotation(snapshot, state))
	return text.String()
}

func stageOf(state rotation.State, root *x509.Certificate) string {
	switch stage := state.Stage(root); stage {
	case rotation.Retiring:
		return "replaced, trusted until " + state.Until(root).UTC().Format(time.RFC3339)
	case rotation.Signing:
		return "signs"
	case rotation.Distributing:
		return "new, being distributed"
	default:
		return string(stage)
	}
}

func contains(roots []*x509.Certificate, root *x509.Certificate) bool {
	for _, one := range roots {
		if one.Equal(root) {
			return true
		}
	}
	return false
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
