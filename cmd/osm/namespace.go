package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
)

// What makes a namespace one of a mesh, or keeps it out.
const (
	monitoredLabel      = mesh.MonitoredByLabel
	ignoreLabel         = mesh.IgnoreLabel
	injectionAnnotation = mesh.InjectionAnnotation
)

func newNamespaceCommand() *cobra.Command {
	command := &cobra.Command{Use: "namespace", Aliases: []string{"ns"}, Short: "Manage mesh namespaces", Args: cobra.NoArgs}
	command.AddCommand(newNamespaceAddCommand(), newNamespaceRemoveCommand(), newNamespaceIgnoreCommand(), newNamespaceListCommand())
	return command
}

// namespaceOptions are what the commands are told that change namespaces.
type namespaceOptions struct {
	cluster  *cluster
	meshName string
	disabled bool
}

// membership is labels and annotations to set; nil ones are removed.
type membership struct {
	Labels      map[string]*string `json:"labels,omitempty"`
	Annotations map[string]*string `json:"annotations,omitempty"`
}

func newNamespaceAddCommand() *cobra.Command {
	o := &namespaceOptions{cluster: newCluster()}
	command := o.command("add NAMESPACE...", "Have pods of namespaces get a sidecar", func(ctx context.Context, out *terminal, names []string) error {
		injection := "enabled"
		if o.disabled {
			injection = "disabled"
		}
		set := membership{map[string]*string{monitoredLabel: &o.meshName, ignoreLabel: nil}, map[string]*string{injectionAnnotation: &injection}}
		if err := o.change(ctx, names, set); err != nil {
			return err
		}
		if o.disabled {
			out.say(done, "%s of mesh %s; a pod gets a sidecar only if its annotation %s enables it", areOf(names), o.meshName, injectionAnnotation)
			return nil
		}
		out.say(done, "%s of mesh %s: pods that are created from now on get a sidecar", areOf(names), o.meshName)
		return o.tellRestarts(ctx, out, names, false)
	})
	command.Flags().BoolVar(&o.disabled, "disable-sidecar-injection", false, "give sidecars only to pods that ask for one by annotation")
	return command
}

func newNamespaceRemoveCommand() *cobra.Command {
	o := &namespaceOptions{cluster: newCluster()}
	return o.command("remove NAMESPACE...", "Take namespaces out of a mesh", func(ctx context.Context, out *terminal, names []string) error {
		if err := o.change(ctx, names, membership{map[string]*string{monitoredLabel: nil}, map[string]*string{injectionAnnotation: nil}}); err != nil {
			return err
		}
		out.say(done, "%s of no mesh: pods that are created from now on get no sidecar", areOf(names))
		return o.tellRestarts(ctx, out, names, true)
	})
}

func newNamespaceIgnoreCommand() *cobra.Command {
	o := &namespaceOptions{cluster: newCluster()}
	return o.command("ignore NAMESPACE...", "Keep namespaces out of every mesh, whatever their pods ask for", func(ctx context.Context, out *terminal, names []string) error {
		yes := "true"
		if err := o.change(ctx, names, membership{Labels: map[string]*string{ignoreLabel: &yes, monitoredLabel: nil}}); err != nil {
			return err
		}
		out.say(done, "%s ignored by every mesh", areOf(names))
		return o.tellRestarts(ctx, out, names, true)
	})
}

func (o *namespaceOptions) command(use, short string, run func(context.Context, *terminal, []string) error) *cobra.Command {
	command := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: o.cluster.completeNamespaces,
		RunE: func(command *cobra.Command, names []string) error {
			return run(command.Context(), newTerminal(command.OutOrStdout()), names)
		},
	}
	o.cluster.addFlags(command)
	command.Flags().StringVar(&o.meshName, "mesh-name", "osm", "the `name` of the mesh")
	return command
}

// change sets the labels and annotations of all namespaces, or of none if one may not be changed.
func (o *namespaceOptions) change(ctx context.Context, names []string, set membership) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range names {
		problems = append(problems, o.mayChange(ctx, client, name, set.Labels[monitoredLabel] != nil))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": set})
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := client.CoreV1().Namespaces().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("change namespace %s: %w", name, err)
		}
	}
	return nil
}

// mayChange returns why a namespace is not to be changed. One that never joins
// can be taken out: someone has labelled it.
func (o *namespaceOptions) mayChange(ctx context.Context, client kubernetes.Interface, name string, joins bool) error {
	if joins && slices.Contains([]string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, o.cluster.meshNamespace}, name) {
		return fmt.Errorf("namespace %s is never of a mesh, for its pods have to start while the mesh is down: run what is to be of the mesh in another namespace", name)
	}
	namespace, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	switch mesh := namespace.GetLabels()[monitoredLabel]; {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("namespace %s does not exist: kubectl create namespace %s makes it", name, name)
	case err != nil:
		return fmt.Errorf("read namespace %s: %w", name, err)
	case namespace.DeletionTimestamp != nil:
		return fmt.Errorf("namespace %s is being deleted", name)
	case mesh != "" && mesh != o.meshName:
		return fmt.Errorf("namespace %s belongs to mesh %s: osm namespace remove %s --mesh-name %s takes it out of that one", name, mesh, name, mesh)
	}
	return nil
}

// tellRestarts says how pods that run get a sidecar, or lose theirs.
func (o *namespaceOptions) tellRestarts(ctx context.Context, out *terminal, names []string, sidecars bool) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	for _, name := range names {
		with, without, err := countPods(ctx, client, name)
		if err != nil {
			return err
		}
		n, what := without, "no sidecar"
		if sidecars {
			n, what = with, "a sidecar"
		}
		if n > 0 {
			out.tell("%s of namespace %s still %s %s. To replace them: kubectl rollout restart deployment,statefulset,daemonset -n %s",
				countOf(n, "pod"), name, map[bool]string{true: "has", false: "have"}[n == 1], what, name)
		}
	}
	return nil
}

func areOf(names []string) string {
	if len(names) == 1 {
		return "namespace " + names[0] + " is"
	}
	return "namespaces " + strings.Join(names, ", ") + " are"
}

// completeNamespaces completes the names of namespaces, if the cluster tells
// them in time.
func (c *cluster) completeNamespaces(command *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	client, err := c.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeout(command.Context(), completionTimeout)
	defer cancel()
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, n := range list.Items {
		if !slices.Contains(given, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

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
