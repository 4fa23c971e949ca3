// Command osm is what an operator of the mesh types. It exits with 0 on success,
// and with 1 on failure, after it wrote the reason to standard error. A command
// with other exit codes documents them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const name = "osm"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v%s\n", name, err, advice(err))
		os.Exit(exitCode(err))
	}
}

// advice is what to do about a right that the user lacks, which the API server
// names. Quotas and Pod Security forbid, too, with other words.
func advice(err error) string {
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ") {
		return "; ask an administrator of the cluster for this right, or to run the command"
	}
	return ""
}

// exitCode is 1 unless the error has another.
func exitCode(err error) int {
	if e := (interface{ ExitCode() int })(nil); errors.As(err, &e) {
		return e.ExitCode()
	}
	return 1
}

// newCommand returns osm with all that it can do.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   name,
		Short: "Manage an osm-edge service mesh",
		Long: `Manage an osm-edge service mesh.

osm exits with 0 on success. It exits with 1 on failure, and writes the reason to
standard error.`,
		// An error is printed once, by main, and without the usage, which is what
		// osm help is for.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newInstallCommand(), newUpgradeCommand(), newUninstallCommand())
	root.AddCommand(newNamespaceCommand())
	root.AddCommand(newCheckCommand(), newCACommand(), newCertCommand(), newSupportCommand())
	root.AddCommand(newInjectCommand(), newVersionCommand())
	root.AddCommand(newDashboardCommand())
	return root
}
