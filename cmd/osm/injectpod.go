package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// place is where an object has a pod or a template of pods.
type place struct {
	// pod is to be changed in place.
	pod map[string]any
	// template is set unless it is a pod itself.
	template bool
	owner    string // what pods of the template are named after
	// found is the path in an object of a kind that is not known, such as
	// spec.template; empty in one that is.
	found string
}

// podPath is where an object of a kind has its pod or its pods' template; it
// tells nothing of kinds that make no pods. Versions of a group agree on it.
func podPath(kind schema.GroupKind) (path []string, has bool) {
	switch kind.String() {
	case "Pod":
		return nil, true
	case "PodTemplate":
		return []string{"template"}, true
	case "ReplicationController", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch",
		"Deployment.extensions", "DaemonSet.extensions", "ReplicaSet.extensions":
		return []string{"spec", "template"}, true
	case "CronJob.batch":
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	}
	return nil, false
}

// podsOf returns the pods and templates of an object: of kinds that are known,
// where they have them, and else what looks like one. It reports whether the
// object was looked at.
func podsOf(object *unstructured.Unstructured) (places []place, looked bool, err error) {
	kind, owner := object.GroupVersionKind().GroupKind(), nameOf(object)
	path, has := podPath(kind)
	switch {
	case has && len(path) == 0:
		return []place{{pod: object.Object}}, true, nil
	case has:
		template, err := templateAt(object.Object, path)
		return []place{{pod: template, template: true, owner: owner}}, true, err
	case isKnown(kind):
		return nil, true, nil
	}
	places = templatesIn(object.Object, "", owner)
	return places, len(places) > 0, nil
}

// nameOf is what pods of an object are named after. A name takes precedence over
// a prefix of one.
func nameOf(object *unstructured.Unstructured) string {
	if name := object.GetName(); name != "" {
		return name
	}
	return object.GetGenerateName()
}

func templateAt(object map[string]any, path []string) (map[string]any, error) {
	field, _, err := unstructured.NestedFieldNoCopy(object, path...)
	if err != nil {
		return nil, err
	}
	template, ok := field.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: missing", strings.Join(path, "."))
	}
	return template, nil
}

// isKnown reports whether a kind is one of Kubernetes itself or of the mesh.
func isKnown(kind schema.GroupKind) bool {
	return len(scheme.Scheme.VersionsForGroupKind(kind)) > 0 ||
		slices.Contains([]string{apiextensionsv1.GroupName, "apiregistration.k8s.io", v1.GroupVersion.Group}, kind.Group)
}

// templatesIn finds what has the shape of a pod template, at whatever depth: in
// a field whose name says so, or an object within the object that is a Pod.
func templatesIn(value any, path, owner string) (places []place) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			places = append(places, templatesIn(v[key], strings.TrimPrefix(path+"."+key, "."), owner)...)
		}
		isPod := v["apiVersion"] == "v1" && v["kind"] == "Pod"
		if path != "" && hasContainers(v) && (isPod || isTemplate(path)) {
			places = append(places, place{pod: v, template: !isPod, owner: owner, found: path})
		}
	case []any:
		for i, item := range v {
			places = append(places, templatesIn(item, fmt.Sprintf("%s[%d]", path, i), owner)...)
		}
	}
	return places
}

// isTemplate reports whether the last field of a path is named as templates are:
// template, podTemplate, templates[0], podTemplateSpec.
func isTemplate(path string) bool {
	name, _, _ := strings.Cut(path[strings.LastIndex(path, ".")+1:], "[")
	name = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), "s"), "spec")
	return strings.HasSuffix(name, "template")
}

// hasContainers reports whether spec.containers is a list of objects.
func hasContainers(pod map[string]any) bool {
	containers, found, err := unstructured.NestedFieldNoCopy(pod, "spec", "containers")
	list, ok := containers.([]any)
	return found && err == nil && ok && !slices.ContainsFunc(list, func(c any) bool {
		_, ok := c.(map[string]any)
		return !ok
	})
}

// encode returns a pod, or what is made of a template, as it is sent to the
// webhook.
func (p place) encode() ([]byte, error) {
	if !p.template {
		return json.Marshal(p.pod)
	}
	metadata, ok := p.pod["metadata"].(map[string]any)
	if !ok && p.pod["metadata"] != nil {
		return nil, errors.New("metadata of the pod template: want an object")
	}
	named := map[string]any{}
	maps.Copy(named, metadata)
	named["generateName"] = p.owner + "-"
	return json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": p.pod["spec"]})
}

// endless are quantities that take minutes to be read, as 1e-1000000000 does.
var endless = regexp.MustCompile(`"[-+0-9.]+[eE][-+]?[0-9]{4,}"`)

// readable tells what an API server cannot read, and refuses before it calls any
// webhook. It is more than the injector reads of a pod.
func readable(pod []byte) error {
	if endless.Match(pod) {
		return nil
	}
	if err := utiljson.Unmarshal(pod, &corev1.Pod{}); err != nil {
		return fmt.Errorf("decoding the pod: %w", err)
	}
	return nil
}

// apply changes the pod as the result for raw says, which encode returned for it.
func (p place) apply(result injector.Result, raw []byte) error {
	operations, err := json.Marshal(result.Patch)
	if err != nil {
		return err
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		return err
	}
	patched, err := patch.Apply(raw)
	if err != nil {
		return err
	}
	var after map[string]any
	if err := utiljson.Unmarshal(patched, &after); err != nil {
		return err
	}
	if p.template {
		delete(after["metadata"].(map[string]any), "generateName") // which encode gave it
	}
	p.pod["metadata"], p.pod["spec"] = after["metadata"], after["spec"]
	return nil
}
