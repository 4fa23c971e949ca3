package main

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/component"
)

// versionTimeout is how long osm version waits for a cluster.
const versionTimeout = 5 * time.Second

func newVersionCommand() *cobra.Command {
	c, clientOnly := newCluster(), false
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version of osm, and of the meshes of the cluster",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			out := newTerminal(command.OutOrStdout())
			out.tell("osm %s (%s, %s/%s)", component.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			if clientOnly {
				return nil
			}
			return c.tellVersions(command.Context(), out)
		},
	}
	c.addFlags(command)
	command.Flags().BoolVar(&clientOnly, "client", false, "do not ask the cluster")
	return command
}

// tellVersions tells those of meshes, and of no mesh if there is no cluster:
// that is not what was asked.
func (c *cluster) tellVersions(ctx context.Context, out *terminal) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	client, err := c.client()
	if err != nil {
		return nil
	}
	list, err := client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=openservicemesh.io"})
	if err != nil {
		out.say(beware, "the cluster does not tell: %s", err)
		return nil
	}
	for _, d := range list.Items {
		out.tell("mesh %s, namespace %s: %s %s", cmp.Or(d.Labels["app.kubernetes.io/instance"], "?"), d.Namespace, d.Name, cmp.Or(d.Labels["app.kubernetes.io/version"], "?"))
	}
	return nil
}
