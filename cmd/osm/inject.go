package main

import (
	"errors"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector"
)

const injectHelp = `Print what the mesh's webhook would make of the pods of objects: of Pods, and of
the templates of Deployments, StatefulSets, DaemonSets, ReplicaSets,
ReplicationControllers, Jobs, CronJobs and PodTemplates, alone or in a list.
In custom resources, such as Rollouts, pod templates are found by their shape.
Everything else is printed as it was given, and so is a pod that gets no sidecar.
No cluster is asked.

Standard error has a line for each pod: what was decided and why, and the
warnings that its creator would see. It also names each custom resource
that was not looked at, for there is no pod template in it. If a pod is refused,
or an object can't be read, nothing is printed on standard output, and osm exits
with 1.

A namespace counts with its labels and annotations if it is among the objects.
Any other is taken as one of the mesh. The settings are those of the chart:
give the values that the mesh was installed with.

What only a cluster knows is assumed or left out. Sidecars are native unless
osm.injector.sidecarPlacement is container, the address of the API server is
not among what osm-init excludes, and sidecars get the name of
osm-controller alone, which ends in cluster.local unless osm.clusterDomain is set.
What the API server adds before it calls the webhook, such as the limits of a
LimitRange or the nodes of a RuntimeClass, is not there.

It is meant for looking, not for applying: every pod of a template would have the
same proxy's id, and the webhook gives each its own.`

// injectOptions are the options of osm inject.
type injectOptions struct {
	files         []string
	values        values
	namespace     string
	meshNamespace string
	newProxyID    func() string
}

func newInjectCommand() *cobra.Command {
	o := &injectOptions{newProxyID: uuid.NewString}
	command := &cobra.Command{
		Use:   "inject -f FILE",
		Short: "Print what the webhook would make of pods",
		Long:  injectHelp,
		Example: `  osm inject -f deployment.yaml
  helm template my-app | osm inject -n shop -f - --set osm.injector.interception=none`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.run(command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	o.addFlags(command)
	return command
}

func (o *injectOptions) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "`file` of objects, YAML or JSON; - is standard input; may be given again")
	flags.StringVarP(&o.namespace, "namespace", "n", corev1.NamespaceDefault, "the `namespace` of objects that name none")
	flags.StringVar(&o.meshNamespace, "osm-namespace", defaultMeshNamespace, "the `namespace` that the mesh is installed in")
	o.values.addFlags(command)
	if err := command.MarkFlagRequired("filename"); err != nil {
		panic(err) // the flag is a few lines above
	}
}

func (o *injectOptions) run(in io.Reader, out, report io.Writer) error {
	webhook, err := o.newWebhook(report)
	if err != nil {
		return err
	}
	documents, err := o.read(in)
	if err != nil {
		return err
	}
	if err := webhook.review(documents); err != nil {
		return err
	}
	_, err = out.Write(join(documents))
	return err
}

func (o *injectOptions) newWebhook(report io.Writer) (*webhook, error) {
	values, err := o.values.merge()
	if err != nil {
		return nil, err
	}
	settings, err := injectorSettings(o.meshNamespace, values)
	if err != nil {
		return nil, err
	}
	config, err := injector.NewConfig(settings)
	if err != nil {
		return nil, err
	}
	return &webhook{
		config:     config,
		meshName:   settings.MeshName,
		namespace:  o.namespace,
		namespaces: map[string]*corev1.Namespace{},
		newProxyID: o.newProxyID,
		report:     report,
	}, nil
}

func (o *injectOptions) read(in io.Reader) ([]document, error) {
	var all []document
	for _, name := range o.files {
		documents, err := readFile(name, in)
		if err != nil {
			return nil, err
		}
		all = append(all, documents...)
	}
	return all, nil
}

func readFile(name string, in io.Reader) ([]document, error) {
	if name == "-" {
		return readDocuments("standard input", in)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	documents, err := readDocuments(name, file)
	return documents, errors.Join(err, file.Close())
}
