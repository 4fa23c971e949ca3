// Command osm is what an operator of the mesh types. It exits with 0 on success,
// and with 1 on failure, after it wrote the reason to standard error. A command
// with other exit codes documents them.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
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
// names.
func advice(err error) string {
	if lacksRight(err) {
		return "; ask an administrator of the cluster for this right, or to run the command"
	}
	return ""
}

// lacksRight reports whether RBAC forbids what was asked. Quotas, Pod Security and
// webhooks forbid, too, with the same reason and other words.
func lacksRight(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot ") && strings.Contains(err.Error(), " resource ")
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

// unlessInterrupted returns the error, or that the user has ended the command.
func unlessInterrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// persist looks again and again until it is done, to the end of ctx. If the API
// server was not reached then, the error says so.
func persist(ctx context.Context, look func(context.Context) (done bool, err error)) error {
	var away error
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		done, err := look(ctx)
		if ctx.Err() == nil {
			away = err
		}
		return done && err == nil, unlessPassing(err)
	})
	if _, unreached := errors.AsType[*url.Error](away); unreached && wait.Interrupted(err) {
		return away
	}
	return err
}

// unlessPassing returns an error that waiting does not help against: not that the
// API server is away for a moment, or has too much to do.
func unlessPassing(err error) error {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return nil // it was not reached
	}
	if code := status.Status().Code; code >= http.StatusInternalServerError || code == http.StatusTooManyRequests {
		return nil
	}
	return err
}
