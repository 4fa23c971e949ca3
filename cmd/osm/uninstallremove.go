package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/manifests"
)

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
