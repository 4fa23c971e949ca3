package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/cmd/internal/forward"
	"github.com/osm-edge/osm/cmd/internal/status"
)

func newCertCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "cert",
		Short: "Look at the certificates of services",
		Args:  cobra.NoArgs,
	}
	command.AddCommand(newCertListCommand(), newCertGetCommand())
	return command
}

const certListHelp = `List the certificates that osm-controller has issued and that sidecars use now, by
service account: of all namespaces, or that of -n. Each replica of osm-controller
has a certificate of its own for a service account, and a line if it has issued it.`

func newCertListCommand() *cobra.Command {
	c := newCluster().withNamespace()
	command := &cobra.Command{
		Use:   "list",
		Short: "List the certificates of service accounts, with the time left",
		Long:  certListHelp,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return c.listCertificates(command.Context(), newTerminal(command.OutOrStdout()), newTerminal(command.ErrOrStderr()))
		},
	}
	c.addFlags(command)
	return command
}

func (c *cluster) listCertificates(ctx context.Context, out, notes *terminal) error {
	reports, err := c.controllers(ctx)
	if err != nil {
		return err
	}
	return printCertificates(out, notes, reports, *c.flags.Namespace, time.Now())
}

// controllers returns the report of each osm-controller.
func (c *cluster) controllers(ctx context.Context) ([]status.Report, error) {
	config, err := c.config()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	pods, err := client.CoreV1().Pods(c.meshNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app=osm-controller"})
	if err != nil {
		return nil, fmt.Errorf("find osm-controller: %w", err)
	}
	var reports []status.Report
	for _, pod := range pods.Items {
		if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
			continue
		}
		body, err := forward.Get(ctx, config, pod.Namespace, pod.Name, status.Port, status.Path)
		if err != nil {
			return nil, err
		}
		var report status.Report
		if err := json.Unmarshal(body, &report); err != nil {
			return nil, fmt.Errorf("the answer of pod %s/%s is malformed: %w", pod.Namespace, pod.Name, err)
		}
		reports = append(reports, report)
	}
	if len(reports) == 0 {
		return nil, fmt.Errorf("no osm-controller runs in namespace %s: see %s", c.meshNamespace, command(c.meshNamespace, "check"))
	}
	return reports, nil
}

func printCertificates(out, notes *terminal, reports []status.Report, namespace string, now time.Time) error {
	var all []status.Certificate
	for _, report := range reports {
		all = append(all, report.Certificates...)
		if more := report.CertificateTotal - len(report.Certificates); more > 0 {
			fmt.Fprintf(notes, "%s has %s more\n", report.Replica, countOf(more, "certificate"))
		}
	}
	all = slices.DeleteFunc(all, func(c status.Certificate) bool { return namespace != "" && c.Namespace != namespace })
	slices.SortFunc(all, func(a, b status.Certificate) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ServiceAccount, b.ServiceAccount), cmp.Compare(a.Serial, b.Serial))
	})
	if len(all) == 0 {
		_, err := fmt.Fprintln(notes, "no sidecar uses a certificate")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tSERVICE ACCOUNT\tSIDECARS\tLEFT\tEXPIRES\tAUTHORITY\tSERIAL")
	for _, c := range all {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", c.Namespace, c.ServiceAccount, c.Proxies,
			remaining(c.NotAfter.Sub(now)), c.NotAfter.UTC().Format(time.RFC3339), c.Authority, c.Serial)
	}
	return table.Flush()
}

// remaining says how long a certificate has left.
func remaining(d time.Duration) string {
	if d <= 0 {
		return "expired"
	}
	if d >= time.Hour {
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return d.Truncate(time.Second).String()
}
