package bugreport

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
)

// mostObjects bounds what is taken of one kind.
const mostObjects = 500

// kind is what is taken of the objects of a kind.
type kind struct {
	schema.GroupVersionResource
	inMeshNamespace bool
	selector        string
}

func kinds(mesh string) []kind {
	owned, group := manifests.Owned(mesh).String(), "config.openservicemesh.io"
	return []kind{
		{schema.GroupVersionResource{Group: group, Version: "v1", Resource: "meshconfigs"}, true, ""},
		{schema.GroupVersionResource{Group: group, Version: "v1", Resource: "meshrootcertificates"}, true, ""},
		{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, true, owned},
		{schema.GroupVersionResource{Version: "v1", Resource: "services"}, true, owned},
		{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, false, owned},
		{schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, true, owned},
		{schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}, false, owned},
		{schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}, false, owned},
		{schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false, "openservicemesh.io/monitored-by=" + mesh},
	}
}

func (w *writer) objects(ctx context.Context, snapshot *check.Snapshot) error {
	for _, kind := range kinds(snapshot.Mesh) {
		namespace := metav1.NamespaceAll
		if kind.inMeshNamespace {
			namespace = snapshot.Namespace
		}
		options := metav1.ListOptions{LabelSelector: kind.selector, Limit: mostObjects}
		list, err := w.survey.Dynamic.Resource(kind.GroupVersionResource).Namespace(namespace).List(ctx, options)
		if err != nil {
			w.problem("%s: %s", kind.Resource, err)
			continue
		}
		if list.GetContinue() != "" {
			w.problem("%s: there are more than %d", kind.Resource, mostObjects)
		}
		if err := w.addObjects("objects/"+kind.Resource+".yaml", list.Items); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) addObjects(name string, objects []unstructured.Unstructured) error {
	var text bytes.Buffer
	for _, object := range objects {
		object.SetManagedFields(nil)
		annotations := object.GetAnnotations()
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		object.SetAnnotations(annotations)
		document, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		text.WriteString("---\n")
		text.Write(document)
	}
	return w.add(name, text.Bytes())
}

// secret is all that is taken of a Secret.
type secret struct {
	Name         string            `json:"name"`
	Namespace    string            `json:"namespace"`
	Type         string            `json:"type"`
	Created      time.Time         `json:"created"`
	Labels       map[string]string `json:"labels,omitempty"`
	Bytes        map[string]int    `json:"bytes"` // by key
	Certificates map[string]string `json:"certificates,omitempty"`
}

// secrets takes those of roots and serving certificates.
func (w *writer) secrets(_ context.Context, snapshot *check.Snapshot) error {
	var all []secret
	for _, name := range slices.Sorted(maps.Keys(snapshot.Secrets)) {
		all = append(all, describeSecret(snapshot.Secrets[name]))
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		return err
	}
	return w.add("secrets.yaml", text)
}

func describeSecret(s *corev1.Secret) secret {
	d := secret{
		Name: s.Name, Namespace: s.Namespace, Type: string(s.Type), Created: s.CreationTimestamp.UTC(), Labels: s.Labels,
		Bytes: map[string]int{}, Certificates: map[string]string{},
	}
	for key, value := range s.Data {
		d.Bytes[key] = len(value)
		// What is parsed is written anew: nothing else than certificates can be in it.
		if certificates, err := trustbundle.ParseCertificates(value); err == nil {
			d.Certificates[key] = string(trustbundle.New(certificates...).PEM())
		}
	}
	return d
}

// pods takes a line of each pod of the control plane, and the number of those
// with a sidecar.
func (w *writer) pods(ctx context.Context, snapshot *check.Snapshot) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%-50s %-10s %-8s %-8s %s\n", "POD", "PHASE", "READY", "RESTARTS", "NODE")
	err := w.survey.EachPod(ctx, snapshot.Namespace, manifests.Owned(snapshot.Mesh).String(), func(pod *corev1.Pod) {
		for _, status := range pod.Status.ContainerStatuses {
			fmt.Fprintf(&text, "%-50s %-10s %-8t %-8d %s\n", pod.Name, pod.Status.Phase, status.Ready, status.RestartCount, pod.Spec.NodeName)
		}
	})
	if err != nil {
		w.problem("pods: %s", err)
	}
	return w.add("pods.txt", text.Bytes())
}

func (w *writer) events(ctx context.Context, snapshot *check.Snapshot) error {
	list, err := w.survey.Kube.EventsV1().Events(snapshot.Namespace).List(ctx, metav1.ListOptions{Limit: mostObjects})
	if err != nil {
		w.problem("events: %s", err)
		return nil
	}
	var text bytes.Buffer
	for _, e := range list.Items {
		at := e.EventTime.Time
		if at.IsZero() {
			at = e.CreationTimestamp.Time
		}
		fmt.Fprintf(&text, "%s %s %s %s/%s: %s\n", at.UTC().Format(time.RFC3339), e.Type, e.Reason, e.Regarding.Kind, e.Regarding.Name, e.Note)
	}
	return w.add("events.txt", text.Bytes())
}
