package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/cmd/internal/forward"
	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
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
	fmt.Fprintln(table, "NAMESPACE\tSERVICE ACCOUNT\tSIDECARS\tLEFT\tEXPIRES\tROOT\tSERIAL")
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

const (
	adminPort = 15000
	// mostSidecars bounds those of a service account that are asked.
	mostSidecars = 10
)

const certGetHelp = `Show the certificate that a sidecar really holds, and the roots that it trusts: of
a pod, or of the pods of a service account. The sidecar itself is asked. It does
not show its key.`

func newCertGetCommand() *cobra.Command {
	c := newCluster().withNamespace()
	command := &cobra.Command{
		Use:   "get POD|SERVICEACCOUNT",
		Short: "Show the certificate that a sidecar holds",
		Long:  certGetHelp,
		Example: `  osm cert get -n bookstore bookstore-v2-7d4b9c
  osm cert get -n bookstore bookstore-v2`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return c.getCertificate(command.Context(), newTerminal(command.OutOrStdout()), args[0])
		},
	}
	c.addFlags(command)
	return command
}

// held is what a sidecar reports about its certificate.
type held struct {
	ID        string    `json:"id"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Issuer    string    `json:"issuer"`
	Roots     []string  `json:"roots"`
	Connected bool      `json:"connected"`
	LastError string    `json:"lastError"`
}

func (c *cluster) getCertificate(ctx context.Context, out *terminal, name string) error {
	namespace, err := c.namespace()
	if err != nil {
		return err
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pods, err := sidecars(ctx, client, namespace, name)
	if err != nil {
		return err
	}
	// The names of roots are a help; who may not read them sees fingerprints.
	_, state, _ := c.readRoots(ctx)
	for _, pod := range pods[:min(len(pods), mostSidecars)] {
		text, err := describeSidecar(ctx, config, out, pod, state)
		if err != nil {
			return err
		}
		if _, err := out.Write([]byte(text)); err != nil {
			return err
		}
	}
	if more := len(pods) - mostSidecars; more > 0 {
		fmt.Fprintf(out, "and %s more\n", countOf(more, "pod"))
	}
	return nil
}

// sidecars returns the pod of the name, or those of the service account.
func sidecars(ctx context.Context, client kubernetes.Interface, namespace, name string) ([]corev1.Pod, error) {
	pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		if _, injected := pod.Labels[injector.ProxyLabel]; !injected {
			return nil, fmt.Errorf("pod %s/%s has no sidecar, and so no certificate: if its namespace belongs to a mesh, have the pod made anew", namespace, name)
		}
		return []corev1.Pod{*pod}, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, err
	}
	options := metav1.ListOptions{LabelSelector: injector.ProxyLabel, FieldSelector: "status.phase=Running,spec.serviceAccountName=" + name}
	list, err := client.CoreV1().Pods(namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no pod %s, and no pod with a sidecar that runs as service account %s; name another namespace with -n", namespace, name, name)
	}
	return list.Items, nil
}

func describeSidecar(ctx context.Context, config *rest.Config, out *terminal, pod corev1.Pod, state rotation.State) (string, error) {
	body, err := forward.Get(ctx, config, pod.Namespace, pod.Name, adminPort, "/certs")
	if err != nil {
		return "", err
	}
	var h held
	if err := json.Unmarshal(body, &h); err != nil {
		return "", fmt.Errorf("the answer of the sidecar of pod %s/%s is malformed: %w", pod.Namespace, pod.Name, err)
	}
	return describeHeld(out, pod.Namespace+"/"+pod.Name, h, state, time.Now()), nil
}

func describeHeld(out *terminal, pod string, h held, state rotation.State, now time.Time) string {
	var text strings.Builder
	line := func(name, value string) {
		fmt.Fprintf(&text, "  %s %s\n", out.in(dim, fmt.Sprintf("%-12s", name)), value)
	}
	fmt.Fprintf(&text, "%s\n", out.in(bold, "pod "+pod))
	line("identity", h.ID)
	switch {
	case h.Serial == "":
		line("certificate", out.in(red, "none yet"))
	case !now.Before(h.NotAfter):
		line("certificate", out.in(red, "expired at "+h.NotAfter.UTC().Format(time.RFC3339)))
	default:
		line("certificate", "for "+remaining(h.NotAfter.Sub(now))+" more")
	}
	if h.Serial != "" {
		line("valid", h.NotBefore.UTC().Format(time.RFC3339)+" to "+h.NotAfter.UTC().Format(time.RFC3339))
		line("serial", h.Serial)
		line("issued by", h.Issuer)
	}
	for _, root := range h.Roots {
		line("trusts", nameRoot(root, state))
	}
	line("controller", map[bool]string{true: "connected", false: "not connected"}[h.Connected])
	if h.LastError != "" {
		line("last error", h.LastError)
	}
	return text.String()
}

// nameRoot names a root by its subject, where the mesh trusts it. Of a mesh that
// trusts none it is not known, for the caller may not read which.
func nameRoot(fingerprint string, state rotation.State) string {
	if len(state.Bundle().Roots()) == 0 {
		return "sha256:" + fingerprint
	}
	for _, root := range state.Bundle().Roots() {
		if trustbundle.Fingerprint(root) == fingerprint {
			return fmt.Sprintf("%s (sha256:%s)", root.Subject, fingerprint)
		}
	}
	return fmt.Sprintf("sha256:%s, which the mesh does not trust any more, or not yet", fingerprint)
}
