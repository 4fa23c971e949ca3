package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/cmd/internal/survey"
)

const checkHelp = `Look for all that can be wrong with the identities and certificates of a mesh:
the control plane and what it may do, the definitions and settings, the root and
who signs, what namespaces and API servers trust, the certificates of webhooks
and whether the API server reaches them, clocks, namespaces, workloads whose pods
cannot be created, and pods without a sidecar or with one that does not work.

Each finding comes with a fix. Nothing is changed: what the API server is
asked to create, so that it calls the webhooks, is a dry run.

osm check exits with 0 if nothing is wrong, warnings aside, with 2 if it found
an error, and with 1 if it could not look.`

// checkOptions are the options of osm check.
type checkOptions struct {
	cluster *cluster
	output  string
	timeout time.Duration
}

// errorsFound is the end of a check that found errors.
type errorsFound int

func (e errorsFound) Error() string { return countOf(int(e), "error") + " found" }

// ExitCode tells errors that were found from a check that failed.
func (errorsFound) ExitCode() int { return 2 }

func newCheckCommand() *cobra.Command {
	o := &checkOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "check",
		Short: "Find problems of a mesh, and how to fix them",
		Long:  checkHelp,
		Example: `  osm check
  osm check -o json | jq '.checks[].findings[]'`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.cluster.addFlags(command)
	command.Flags().StringVarP(&o.output, "output", "o", "", "print json, or text if it is empty")
	command.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "give up after this `time`")
	return command
}

func (o *checkOptions) run(ctx context.Context, out *terminal) error {
	if o.output != "" && o.output != "json" {
		return fmt.Errorf("--output is %q: it can be json", o.output)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	report, err := o.cluster.check(ctx)
	if err != nil {
		return fmt.Errorf("could not check: %w", err)
	}
	if o.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = printReport(out, report)
	}
	if err == nil && report.Errors > 0 {
		return errorsFound(report.Errors)
	}
	return err
}

// survey returns what reads the mesh.
func (c *cluster) survey() (*survey.Survey, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	// The warnings are about the pods of its dry runs, which are no one's.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	return survey.New(config, c.meshNamespace)
}

func (c *cluster) check(ctx context.Context) (check.Report, error) {
	reader, err := c.survey()
	if err != nil {
		return check.Report{}, err
	}
	snapshot, err := reader.Snapshot(ctx)
	if err != nil {
		return check.Report{}, err
	}
	// Who may not find it out is told as if osm managed it.
	if tool, err := c.meshKeeper(ctx, snapshot.Mesh, deployed(snapshot)); err == nil && tool != nil {
		snapshot.Keeper = tool.name + ": " + tool.upgrade
	}
	return check.Run(snapshot), nil
}

// deployed are the Deployments of the mesh that are there.
func deployed(snapshot *check.Snapshot) (all []appsv1.Deployment) {
	for _, name := range check.Components {
		if d := snapshot.Deployments[name]; d != nil {
			all = append(all, *d)
		}
	}
	return all
}

func (t *terminal) mark(errors, warnings int) string {
	switch {
	case errors > 0:
		return t.sign(failed)
	case warnings > 0:
		return t.sign(beware)
	}
	return t.sign(done)
}

func printReport(out *terminal, report check.Report) error {
	var text strings.Builder
	fmt.Fprintf(&text, "mesh %s in namespace %s\n\n", out.in(bold, report.Mesh), report.Namespace)
	for _, c := range report.Checks {
		errors, warnings := tally(c.Findings)
		fmt.Fprintf(&text, "%s %-14s %s\n", out.mark(errors, warnings), c.Name, out.in(dim, c.Summary))
		for _, f := range c.Findings {
			errors, warnings := tally([]check.Finding{f})
			fmt.Fprintf(&text, "  %s %s: %s\n", out.mark(errors, warnings), out.in(bold, f.Object), f.Problem)
			fmt.Fprintf(&text, "    to fix it: %s\n", f.Fix)
		}
	}
	result := "\nnothing is wrong\n"
	if report.Errors+report.Warnings > 0 {
		result = fmt.Sprintf("\n%s, %s\n", countOf(report.Errors, "error"), countOf(report.Warnings, "warning"))
	}
	text.WriteString(result)
	_, err := out.Write([]byte(text.String()))
	return err
}

func tally(findings []check.Finding) (errors, warnings int) {
	for _, f := range findings {
		if f.Severity == check.Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
