package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests"
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

// webhook does with objects what the mesh's webhook does with their pods.
type webhook struct {
	config     *injector.Config
	meshName   string
	namespace  string // of objects that name none
	namespaces map[string]*corev1.Namespace
	newProxyID func() string
	report     io.Writer // a line an object, and its warnings
}

// review changes the pods of documents, once it knows all their namespaces.
func (w *webhook) review(documents []document) error {
	var problems []error
	for _, d := range documents {
		problems = append(problems, w.learn(d))
	}
	for i := range documents {
		d := &documents[i]
		changed, err := w.inject(*d)
		if changed && err == nil {
			err = d.encode()
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// learn takes the labels and annotations of namespaces among the objects.
func (w *webhook) learn(d document) error {
	return each(d.source, d.object, func(u *unstructured.Unstructured) error {
		if u.GroupVersionKind().GroupKind().String() != "Namespace" {
			return nil
		}
		namespace := &corev1.Namespace{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, namespace); err != nil {
			return fmt.Errorf("namespace %s: %w", u.GetName(), err)
		}
		w.namespaces[namespace.Name] = namespace
		return nil
	})
}

// inject changes the pods of a document's object, in place, and tells whether it
// did. The error is of every pod that is refused.
func (w *webhook) inject(d document) (changed bool, err error) {
	err = each(d.source, d.object, func(u *unstructured.Unstructured) error {
		did, err := w.injectOne(u)
		changed = changed || did
		return err
	})
	return changed, err
}

// injectOne changes the pods of an object, and says of one that it does not know
// that it did not look at it.
func (w *webhook) injectOne(u *unstructured.Unstructured) (changed bool, err error) {
	namespace := w.namespaceOf(u)
	name := fmt.Sprintf("%s %s/%s", u.GetKind(), namespace.Name, nameOf(u))
	places, looked, err := podsOf(u)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if !looked {
		fmt.Fprintf(w.report, "%s: not looked at: the kind %s is unknown, and no pod template was found in it\n", name, u.GroupVersionKind().GroupKind())
	}
	var problems []error
	for _, p := range places {
		name := name
		if p.found != "" {
			name += ", " + p.found
		}
		did, err := w.injectPod(p, name, namespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		changed = changed || did
	}
	return changed, errors.Join(problems...)
}

// injectPod does with one pod, or with what is made of a template, what the
// webhook does.
func (w *webhook) injectPod(p place, name string, namespace *corev1.Namespace) (changed bool, err error) {
	raw, err := p.encode()
	if err == nil {
		err = readable(raw)
	}
	if err != nil && p.found != "" {
		// It looks like a template only.
		fmt.Fprintf(w.report, "%s: not looked at: %v\n", name, err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	result := w.config.Inject(raw, namespace, w.newProxyID())
	for _, warning := range result.Warnings {
		fmt.Fprintf(w.report, "%s: warning: %s\n", name, warning)
	}
	fmt.Fprintf(w.report, "%s: %s: %s\n", name, result.Decision, result.Reason)
	if result.Err != nil {
		return false, result.Err
	}
	if len(result.Patch) == 0 {
		return false, nil
	}
	if err := p.apply(result, raw); err != nil {
		return false, fmt.Errorf("change the pod: %w", err)
	}
	return true, nil
}

// namespaceOf returns the namespace of an object: one that nothing is known of
// is taken as one of the mesh.
func (w *webhook) namespaceOf(u *unstructured.Unstructured) *corev1.Namespace {
	name := u.GetNamespace()
	if name == "" {
		name = w.namespace
	}
	if known, ok := w.namespaces[name]; ok {
		return known
	}
	namespace := &corev1.Namespace{}
	namespace.Name = name
	namespace.Labels = manifests.MonitoredBy(w.meshName)
	return namespace
}
