package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
)

// completionTimeout is how long a user waits who pressed the tab key.
const completionTimeout = 3 * time.Second

func newNamespaceListCommand() *cobra.Command {
	c := newCluster()
	command := &cobra.Command{
		Use:   "list",
		Short: "List the namespaces of meshes, and which of their pods have a sidecar",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.listNamespaces(command.Context(), command.OutOrStdout())
		},
	}
	c.addFlags(command)
	return command
}

func (c *cluster) listNamespaces(ctx context.Context, out io.Writer) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tMESH\tINJECTION\tWITH SIDECAR\tWITHOUT")
	for _, n := range list.Items {
		mesh := n.Labels[monitoredLabel]
		_, ignored := n.Labels[ignoreLabel]
		if mesh == "" && !ignored {
			continue
		}
		with, without, err := countPods(ctx, client, n.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\n", n.Name, cmp.Or(mesh, "-"), injectionOf(&n, ignored), with, without)
	}
	return table.Flush()
}

func injectionOf(n *corev1.Namespace, ignored bool) string {
	if ignored {
		return "ignored"
	}
	value, set := n.Annotations[injectionAnnotation]
	switch on, ok := mesh.Switch(value); {
	case set && !ok:
		// Every pod is refused there.
		return fmt.Sprintf("invalid: %q", value)
	case set && !on:
		return "disabled"
	}
	return "enabled"
}

// countPods counts pods that have not ended, with and without a sidecar. Those
// in the network of their node never get one, however they are replaced.
func countPods(ctx context.Context, client kubernetes.Interface, namespace string) (with, without int, err error) {
	options := metav1.ListOptions{FieldSelector: "status.phase!=Succeeded,status.phase!=Failed", Limit: 500}
	for {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return 0, 0, fmt.Errorf("list pods of namespace %s: %w", namespace, err)
		}
		for _, p := range pods.Items {
			switch {
			case p.Labels[injector.ProxyLabel] != "":
				with++
			case !p.Spec.HostNetwork:
				without++
			}
		}
		if options.Continue = pods.Continue; options.Continue == "" {
			return with, without, nil
		}
	}
}
