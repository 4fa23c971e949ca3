package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/osm-edge/osm/cmd/internal/forward"
	"github.com/osm-edge/osm/cmd/internal/status"
)

// dashboard is the options of osm dashboard.
type dashboard struct {
	cluster   *cluster
	port      int
	noBrowser bool
}

func newDashboardCommand() *cobra.Command {
	d := &dashboard{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "dashboard",
		Short: "Open the status page of osm-controller",
		Long: `Open the status page of osm-controller: the roots that are trusted, how far the
replacement of a root has come, certificates by service account, sidecars that
are connected, and refusals.

A port of this machine is forwarded to the replica that leads, or else to
another one, until Ctrl-C. The page is reached in no other way.`,
		Example: `  osm dashboard
  osm dashboard --no-browser --port 9092`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return d.run(command.Context(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	d.cluster.addFlags(command)
	command.Flags().IntVar(&d.port, "port", 0, "`port` of this machine; a free one when 0")
	command.Flags().BoolVar(&d.noBrowser, "no-browser", false, "only print the address")
	return command
}

func (d *dashboard) run(ctx context.Context, out, errOut io.Writer) error {
	if d.port < 0 || d.port > 65535 {
		return fmt.Errorf("--port %d is not between 0 and 65535", d.port)
	}
	client, err := d.cluster.client()
	if err != nil {
		return err
	}
	pod, err := findController(ctx, client, d.cluster.meshNamespace)
	if err != nil {
		return err
	}
	config, err := d.cluster.config()
	if err != nil {
		return err
	}
	port := forward.Port{Namespace: pod.Namespace, Pod: pod.Name, Remote: status.Port, Local: d.port, Log: errOut}
	return forward.Run(ctx, config, port, func(port int) {
		url := fmt.Sprintf("http://localhost:%d/", port)
		fmt.Fprintf(out, "%s shows what %s sees of the mesh. Ctrl-C ends it.\n", url, pod.Name)
		if !d.noBrowser {
			browse(url)
		}
	})
}

// browse opens a browser where there is one. The address is printed in any case.
func browse(url string) {
	for _, opener := range []string{"xdg-open", "open"} {
		command := exec.Command(opener, url)
		if command.Start() == nil {
			go func() { _ = command.Wait() }()
			return
		}
	}
}
