package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

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

Pods that have a sidecar keep it until they are replaced. Their certificates end
within a day.`

// uninstallOptions are what osm uninstall mesh is told.
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
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	last, err := release.last()
	if err != nil {
		return err
	}
	if last == nil && !o.deleteCA {
		return fmt.Errorf("there is no mesh %s in namespace %s: name another with --mesh-name and --osm-namespace", o.meshName, o.cluster.meshNamespace)
	}
	if last == nil {
		// Its name may be mistaken, and what is there another mesh's.
		running, err := o.otherMeshes(ctx, o.cluster.meshNamespace)
		if err == nil && running {
			err = fmt.Errorf("namespace %s has a mesh that is not %s: name it with --mesh-name", o.cluster.meshNamespace, o.meshName)
		}
		if err != nil {
			return err
		}
	}
	if err := o.confirm(in, out); err != nil {
		return err
	}
	if err := o.remove(ctx, out, nil); err != nil {
		return err
	}
	return o.tellWhatStays(ctx, out)
}

// confirm asks whoever is at a terminal, and nobody else.
func (o *uninstallOptions) confirm(in io.Reader, out *terminal) error {
	if o.yes {
		return nil
	}
	if !out.live {
		return errors.New("nobody is there to be asked: say --yes to uninstall the mesh")
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

// remove uninstalls the release and, if that is wanted, whatever else there is
// of the mesh but what is to be kept.
func (o *uninstallOptions) remove(ctx context.Context, out *terminal, keep []leftover) error {
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	if err := o.findRootSecret(release); err != nil {
		return err
	}
	out.moment("the webhooks and the control plane end")
	if err := release.uninstall(); err != nil {
		return fmt.Errorf("uninstall the release: %w", err)
	}
	if err := o.awaitEnd(ctx, out); err != nil {
		return err
	}
	out.say(done, "the webhooks and the control plane are gone")
	if !o.deleteCA {
		return nil
	}
	out.moment("what the mesh knew is deleted")
	// What was being written as the control plane ended comes a moment later.
	err = wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		left, err := o.leftovers(ctx)
		if err != nil {
			return false, err
		}
		left = slices.DeleteFunc(left, func(one leftover) bool { return slices.Contains(keep, one) })
		return len(left) == 0, o.delete(ctx, left)
	})
	if err != nil {
		return fmt.Errorf("delete what the mesh knew: %w", err)
	}
	out.say(done, "its root and all that it knew are deleted")
	return nil
}

// awaitEnd waits for the control plane's pods, which write until they have ended.
func (o *uninstallOptions) awaitEnd(ctx context.Context, out *terminal) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	of := metav1.ListOptions{LabelSelector: manifests.Owned(o.meshName).String()}
	return wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(o.cluster.meshNamespace).List(ctx, of)
		if err != nil {
			return false, err
		}
		deployments, err := client.AppsV1().Deployments(o.cluster.meshNamespace).List(ctx, of)
		if err != nil {
			return false, err
		}
		out.moment("%s of the control plane left", countOf(len(pods.Items), "pod"))
		return len(pods.Items)+len(deployments.Items) == 0, nil
	})
}

// findRootSecret reads from the release what the Secret of the root is called.
func (o *uninstallOptions) findRootSecret(release *helmRelease) error {
	last, err := release.last()
	if err != nil {
		return err
	}
	given := map[string]any{}
	if last != nil {
		given = last.Config
	}
	values, err := coalesce(given)
	o.rootSecret = values.RootSecret
	return err
}

// tellWhatStays says what is there after all, and how it is taken away.
func (o *uninstallOptions) tellWhatStays(ctx context.Context, out *terminal) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	if !o.deleteCA {
		out.tell("\nThe root, the MeshConfig and the MeshRootCertificates stay. To delete them: osm uninstall mesh --delete-ca")
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
		out.tell("Namespaces are still labelled for the mesh. To change that: osm namespace remove %s", strings.Join(names, " "))
	}
	if pods > 0 {
		out.tell("%s still have a sidecar, whose certificates end within a day. To replace them: kubectl rollout restart deployment,statefulset,daemonset -n NAMESPACE", countOf(pods, "pod"))
	}
	return nil
}
