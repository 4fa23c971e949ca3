package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/injector"
)

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
