package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/osm-edge/osm/cmd/internal/bugreport"
	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/component"
)

const bugReportHelp = `Pack the state of a mesh into an archive, for those who help you to fix it: what
osm check finds, the mesh's objects, Events, and the ends of the logs of the
control plane.

Of Secrets there are names, sizes and certificates, and of pods a line each. What
looks like a private key or a token is cut out of everything. Names of namespaces,
pods, service accounts and images of yours are in it: look before you send it.`

func newSupportCommand() *cobra.Command {
	command := &cobra.Command{Use: "support", Short: "Collect support information", Args: cobra.NoArgs}
	command.AddCommand(newBugReportCommand())
	return command
}

// bugReportOptions are the options of osm support bug-report.
type bugReportOptions struct {
	cluster *cluster
	file    string
	timeout time.Duration
}

func newBugReportCommand() *cobra.Command {
	o := &bugReportOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "bug-report",
		Short: "Pack the state of a mesh into an archive, without secrets",
		Long:  bugReportHelp,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.cluster.addFlags(command)
	command.Flags().StringVarP(&o.file, "output", "o", "osm-bug-report.tar.gz", "the `file` to write, which must not exist")
	command.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after this `time`")
	return command
}

func (o *bugReportOptions) run(ctx context.Context, out *terminal) error {
	reader, err := o.cluster.survey()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(o.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create the archive: %w; name another with --output", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	problems, err := bugreport.Write(ctx, file, bugreport.Options{
		Survey: reader, Version: component.Version(),
		Text: func(report check.Report) string {
			var text strings.Builder
			if err := printReport(newTerminal(&text), report); err != nil {
				return err.Error()
			}
			return text.String()
		},
	})
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the report: %w", err), os.Remove(o.file))
	}
	for _, problem := range problems {
		fmt.Fprintf(out, "%s %s\n", out.mark(0, 1), problem)
	}
	_, err = fmt.Fprintf(out, "%s is written; look into it before you send it: tar tzf %s\n", o.file, o.file)
	return err
}
