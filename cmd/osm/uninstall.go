package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests"
)

const uninstallHelp = `Take a mesh out of the cluster: its webhooks first, so that pods can be created
without them, and then its control plane.

What the mesh knows stays, so that it can be installed again as it was: the root
and its key, who is trusted, the MeshConfig and the MeshRootCertificates with
their definitions. --delete-ca deletes these too, and the namespace if osm made
it. The mesh's identities cannot be had back then, unless you have a backup of
the root.

Objects are found by the mesh's labels, with a Helm release or without one. What
another tool manages, such as Argo CD or Flux, is named and left.

Pods that have a sidecar keep it until they are replaced. Their certificates end
within a day.`

// uninstallOptions are the options of osm uninstall mesh.
type uninstallOptions struct {
	cluster    *cluster
	meshName   string
	deleteCA   bool
	yes        bool
	timeout    time.Duration
	rootSecret string // found out from the release
}

func newUninstallCommand() *cobra.Command {
	command := &cobra.Command{Use: "uninstall", Short: "Take a mesh out of the cluster", Args: cobra.NoArgs}
	command.AddCommand(newUninstallMeshCommand())
	return command
}

func newUninstallMeshCommand() *cobra.Command {
	o := &uninstallOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "mesh",
		Short: "Take a mesh out of the cluster",
		Long:  uninstallHelp,
		Example: `  osm uninstall mesh
  osm uninstall mesh --delete-ca --yes`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.Context(), command.InOrStdin(), newTerminal(command.OutOrStdout()))
		},
	}
	o.cluster.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&o.meshName, "mesh-name", "osm", "the `name` of the mesh")
	flags.BoolVar(&o.deleteCA, "delete-ca", false, "delete the root, its key and all that the mesh knows, too")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until everything is gone")
	return command
}

func (o *uninstallOptions) run(ctx context.Context, in io.Reader, out *terminal) error {
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	last, err := release.last()
	if err != nil {
		return err
	}
	if err := o.findRootSecret(ctx, release); err != nil {
		return err
	}
	left, err := o.mayUninstall(ctx, last != nil)
	if err != nil {
		return err
	}
	if last == nil && len(left) == 0 {
		out.say(done, "nothing is left of mesh %s", o.meshName)
		return nil
	}
	if err := o.confirm(in, out); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := o.remove(ctx, out, nil); err != nil {
		return fmt.Errorf("%w\nosm uninstall mesh can be repeated", unlessInterrupted(ctx, err))
	}
	return o.tellWhatStays(ctx, out)
}

// confirm asks the user at a terminal, and only there.
func (o *uninstallOptions) confirm(in io.Reader, out *terminal) error {
	if o.yes {
		return nil
	}
	if !out.live {
		return errors.New("there is no terminal to ask at: set --yes to uninstall the mesh")
	}
	what := "the control plane"
	if o.deleteCA {
		what = "everything, the root and its key too,"
	}
	fmt.Fprintf(out, "Take %s of mesh %s out of namespace %s? Type the mesh's name: ", what, o.meshName, o.cluster.meshNamespace)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(answer) != o.meshName {
		return errors.Join(errors.New("nothing was uninstalled"), err)
	}
	return nil
}

// mayUninstall returns the objects of the mesh, unless it is another's or
// would be brought back by the tool that manages it.
func (o *uninstallOptions) mayUninstall(ctx context.Context, released bool) ([]found, error) {
	deployments, err := o.cluster.controlPlane(ctx, o.meshName)
	if err != nil {
		return nil, err
	}
	tool, err := o.cluster.meshKeeper(ctx, o.meshName, deployments)
	if err == nil && tool == nil && len(deployments) > 0 {
		tool, err = o.webhookKeeper(ctx)
	}
	if err != nil {
		return nil, err
	}
	if tool != nil {
		return nil, fmt.Errorf("mesh %s in namespace %s is managed by %s, and nothing was uninstalled: %s\nosm uninstall mesh takes away what that leaves", o.meshName, o.cluster.meshNamespace, tool.name, tool.uninstall)
	}
	left, err := o.leftovers(ctx)
	if err != nil || released || len(deployments) > 0 {
		return left, err
	}
	// The names may be mistaken, and what is there another mesh's.
	running, err := o.otherMeshes(ctx, o.cluster.meshNamespace)
	if err != nil {
		return nil, err
	}
	where, err := o.cluster.elsewhere(ctx, o.meshName)
	switch {
	case err != nil:
		return nil, err
	case running && o.deleteCA:
		return nil, fmt.Errorf("namespace %s has a mesh that is not %s: name it with --mesh-name", o.cluster.meshNamespace, o.meshName)
	case len(where) > 0:
		return nil, fmt.Errorf("mesh %s is in namespace %s: name it with --osm-namespace", o.meshName, strings.Join(where, ", "))
	case len(left) == 0 && !o.deleteCA:
		return nil, o.noMesh(ctx)
	}
	return left, nil
}

// webhookKeeper tells which tool manages a webhook of the mesh. Without the control
// plane that webhook would refuse all pods.
func (o *uninstallOptions) webhookKeeper(ctx context.Context) (*keeper, error) {
	webhooks, err := o.find(ctx, stages[0], chartOnly)
	for _, one := range webhooks {
		if tool, err := o.cluster.keeper(ctx, one.object, o.meshName); tool != nil || err != nil {
			return tool, err
		}
	}
	return nil, err
}

// noMesh tells apart a mesh that was uninstalled, of which the root is left, and
// one that never was.
func (o *uninstallOptions) noMesh(ctx context.Context) error {
	known, err := o.find(ctx, knowledge, everything)
	if err != nil || len(known) > 0 {
		return err
	}
	return fmt.Errorf("there is no mesh %s in namespace %s: name another with --mesh-name and --osm-namespace", o.meshName, o.cluster.meshNamespace)
}

// whatStays tells what --delete-ca would delete: the root is gone if its namespace
// was deleted first.
func (o *uninstallOptions) whatStays(ctx context.Context, client kubernetes.Interface) (string, error) {
	_, err := client.CoreV1().Namespaces().Get(ctx, o.cluster.meshNamespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "The root is gone with its namespace. To delete the definitions, too", nil
	}
	return "The root, the MeshConfig and the MeshRootCertificates stay. To delete them", err
}

// tellWhatStays says what is there after all, and how it is taken away.
func (o *uninstallOptions) tellWhatStays(ctx context.Context, out *terminal) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	if !o.deleteCA {
		stay, err := o.whatStays(ctx, client)
		if err != nil {
			return err
		}
		out.tell("\n%s: %s --delete-ca", stay, o.cluster.command(o.meshName, "uninstall mesh"))
	}
	namespaces, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: manifests.Monitored(o.meshName).String()})
	if err != nil {
		return err
	}
	var names []string
	pods := 0
	for _, n := range namespaces.Items {
		names = append(names, n.Name)
		list, err := client.CoreV1().Pods(n.Name).List(ctx, metav1.ListOptions{LabelSelector: injector.ProxyLabel})
		if err != nil {
			return err
		}
		pods += len(list.Items)
	}
	if len(names) > 0 {
		out.tell("Namespaces are still labelled for the mesh. To change that: %s %s", o.cluster.command(o.meshName, "namespace remove"), strings.Join(names, " "))
	}
	if pods > 0 {
		out.tell("%s still have a sidecar, whose certificates end within a day. To replace them: kubectl rollout restart deployment,statefulset,daemonset -n NAMESPACE", countOf(pods, "pod"))
	}
	return nil
}

// rootSecretFlag is how the components are told the name of the root's Secret.
const rootSecretFlag = "--ca-bundle-secret-name="

// remove deletes the objects of the mesh but those to be kept, and then its
// release: what was interrupted, or cannot be deleted yet, is found again by it.
func (o *uninstallOptions) remove(ctx context.Context, out *terminal, keep []found) error {
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	if err := o.findRootSecret(ctx, release); err != nil {
		return err
	}
	out.moment("the webhooks and the control plane end")
	removal := &removal{uninstallOptions: o, out: out, keep: keep}
	for i, kinds := range stages {
		if err := removal.clear(ctx, kinds, chartOnly); err != nil {
			return err
		}
		if i == 1 {
			if err := o.awaitEnd(ctx, out); err != nil {
				return err
			}
		}
	}
	if err := persist(ctx, func(context.Context) (bool, error) { return true, release.uninstall() }); err != nil {
		return fmt.Errorf("uninstall the release: %w", err)
	}
	if len(removal.left) == 0 {
		out.say(done, "the webhooks and the control plane are gone")
	}
	if !o.deleteCA {
		return nil
	}
	if err := persist(ctx, func(ctx context.Context) (bool, error) { return true, o.endConversions(ctx) }); err != nil {
		return err
	}
	for _, kinds := range [][]kind{own, knowledge, {namespaces}} {
		if err := removal.clear(ctx, kinds, everything); err != nil {
			return err
		}
	}
	out.say(done, "its root and all that it knew are deleted")
	if err := o.tellOfOthers(ctx, out); err != nil {
		return err
	}
	return removal.awaitNamespace(ctx)
}

// awaitEnd waits for the control plane's pods, which write until they have ended.
func (o *uninstallOptions) awaitEnd(ctx context.Context, out *terminal) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	var left []corev1.Pod
	of := metav1.ListOptions{LabelSelector: manifests.Owned(o.meshName).String()}
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(o.cluster.meshNamespace).List(ctx, of)
		if err != nil {
			return false, err
		}
		left = pods.Items
		out.moment("%s of the control plane left", countOf(len(left), "pod"))
		return len(left) == 0, nil
	})
	if !wait.Interrupted(err) || len(left) == 0 {
		return err
	}
	return fmt.Errorf("pod %s of the control plane has not ended after %s: see kubectl describe pod %[1]s -n %[3]s", left[0].Name, o.timeout, left[0].Namespace)
}

// findRootSecret finds out what the Secret of the root is called: the release
// knows, or else the control plane.
func (o *uninstallOptions) findRootSecret(ctx context.Context, release *helmRelease) error {
	if o.rootSecret != "" {
		return nil
	}
	last, err := release.last()
	if err != nil {
		return err
	}
	given := map[string]any{}
	if last != nil {
		given = last.Config
	}
	values, err := coalesce(given)
	if err != nil {
		return err
	}
	o.rootSecret = values.RootSecret
	if last != nil {
		return nil
	}
	deployments, err := o.cluster.controlPlane(ctx, o.meshName)
	for _, d := range deployments {
		for _, argument := range d.Spec.Template.Spec.Containers[0].Args {
			if name, says := strings.CutPrefix(argument, rootSecretFlag); says {
				o.rootSecret = name
			}
		}
	}
	return err
}
