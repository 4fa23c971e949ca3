package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	jsonpatch "github.com/evanphx/json-patch"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/injector"
)

// podPath is where an object of a kind has its pod or its pods' template; it
// tells nothing of kinds that make no pods. Versions of a group agree on it.
func podPath(kind schema.GroupKind) (path []string, has bool) {
	switch kind.String() {
	case "Pod":
		return nil, true
	case "PodTemplate":
		return []string{"template"}, true
	case "ReplicationController", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch":
		return []string{"spec", "template"}, true
	case "CronJob.batch":
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	}
	return nil, false
}

// podAt returns the pod or template of object, to be changed in place.
func podAt(object *unstructured.Unstructured, path []string) (map[string]any, error) {
	if len(path) == 0 {
		return object.Object, nil
	}
	field, _, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if err != nil {
		return nil, err
	}
	template, ok := field.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: missing", strings.Join(path, "."))
	}
	return template, nil
}

// encodePod returns a pod, or what is made of the template of an owner, as it
// is sent to the webhook.
func encodePod(pod map[string]any, owner string) ([]byte, error) {
	if owner == "" {
		return json.Marshal(pod)
	}
	metadata, ok := pod["metadata"].(map[string]any)
	if !ok && pod["metadata"] != nil {
		return nil, errors.New("metadata of the pod template: want an object")
	}
	named := map[string]any{}
	maps.Copy(named, metadata)
	named["generateName"] = owner + "-"
	return json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": pod["spec"]})
}

// apply changes pod as the result for raw says, which encodePod returned for it.
func apply(result injector.Result, raw []byte, pod map[string]any) error {
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
	if _, isPod := pod["kind"]; !isPod {
		delete(after["metadata"].(map[string]any), "generateName") // which encodePod gave it
	}
	pod["metadata"], pod["spec"] = after["metadata"], after["spec"]
	return nil
}
