package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/manifests"
)

const installHelp = `Install a mesh into the cluster.

Before anything is written, osm looks whether it can work: the version of
Kubernetes, what you may create, other meshes, what an earlier mesh left, and what
the issuer of certificates needs. Then it applies the chart and
waits until the mesh is ready. An installation that failed is repeated by the same
command.

A mesh is a Helm release of its name in its namespace. You can switch between
helm and osm.`

// takingBack bounds how long it takes to remove what a failed installation made,
// which was not given the time that it needed.
const takingBack = 2 * time.Minute

// installOptions are the options of osm install and osm upgrade.
type installOptions struct {
	cluster  *cluster
	values   values
	meshName string
	atomic   bool
	timeout  time.Duration
	reset    bool // of upgrade, as is the next
	dryRun   bool
}

func newInstallCommand() *cobra.Command {
	o := &installOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "install",
		Short: "Install a mesh",
		Long:  installHelp,
		Example: `  osm install
  osm install --set 'osm.outboundIPRangeInclusionList={10.0.0.0/8}' --set osm.osmController.replicaCount=2
  osm install --atomic --timeout 2m --set osm.certificateProvider.kind=cert-manager`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.install(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.addFlags(command)
	command.Flags().BoolVar(&o.atomic, "atomic", false, "leave nothing behind if the mesh does not get ready")
	return command
}

func (o *installOptions) addFlags(command *cobra.Command) {
	o.cluster.addFlags(command)
	o.values.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&o.meshName, "mesh-name", "osm", "the `name` of the mesh, and of its Helm release")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until the mesh is ready")
}

// merged returns the values that were given, with the mesh's name among them.
func (o *installOptions) merged() (map[string]any, error) {
	values, err := o.values.merge()
	if err != nil {
		return nil, err
	}
	osm, ok := values["osm"].(map[string]any)
	if given := values["osm"]; !ok && given != nil {
		return nil, fmt.Errorf("osm is %v: name a value below it, such as osm.trustDomain", given)
	}
	if !ok {
		osm = map[string]any{}
		values["osm"] = osm
	}
	if name, has := osm["meshName"]; has && name != o.meshName {
		return nil, fmt.Errorf("osm.meshName is %v and --mesh-name %s: give --mesh-name alone", name, o.meshName)
	}
	osm["meshName"] = o.meshName
	return values, nil
}

func (o *installOptions) install(ctx context.Context, out *terminal) error {
	values, err := o.merged()
	if err != nil {
		return err
	}
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	if err := o.preflight(ctx, out, release, values); err != nil {
		return err
	}
	effective, err := coalesce(values)
	if err != nil {
		return err
	}
	removal := &uninstallOptions{cluster: o.cluster, meshName: o.meshName, timeout: takingBack, deleteCA: true, rootSecret: effective.RootSecret}
	before, err := removal.leftovers(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	err = o.createNamespace(ctx, client)
	if err == nil {
		err = o.start(ctx, out, client, func() error { return release.install(ctx, values) })
	}
	if err != nil && o.atomic {
		return errors.Join(err, removal.takeBack(out, before))
	}
	if err != nil {
		return fmt.Errorf("%w\nwhat is there stays for you to look at; osm uninstall mesh takes it away", unlessInterrupted(ctx, err))
	}
	out.tell("\nmesh %s is installed in namespace %s, after %s", out.in(bold, o.meshName), o.cluster.meshNamespace, seconds(time.Since(began)))
	out.tell("next: %s NAMESPACE, and %s", o.cluster.command(o.meshName, "namespace add"), command(o.cluster.meshNamespace, "check"))
	return nil
}

// start applies the chart and waits for what it starts.
func (o *installOptions) start(ctx context.Context, out *terminal, client kubernetes.Interface, apply func() error) error {
	out.moment("applying the chart")
	if err := apply(); err != nil {
		return fmt.Errorf("apply the chart: %w", err)
	}
	out.say(done, "the chart of version %s is applied", component.Version())
	return (&rollout{client, o.cluster.meshNamespace, out}).await(ctx, o.timeout)
}

// createNamespace makes the mesh namespace, if it is not there. The label has
// osm uninstall know it as the mesh's own.
func (o *installOptions) createNamespace(ctx context.Context, client kubernetes.Interface) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   o.cluster.meshNamespace,
		Labels: manifests.Labels(o.meshName, component.Version()),
	}}
	_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// takeBack removes all that a failed installation made: not what was there
// before.
func (o *uninstallOptions) takeBack(out *terminal, before []found) error {
	out.say(failed, "the mesh does not get ready; taking back what was made")
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	if err := o.remove(ctx, out, before); err != nil {
		return fmt.Errorf("%w\nosm uninstall mesh takes away what is left", err)
	}
	return nil
}
