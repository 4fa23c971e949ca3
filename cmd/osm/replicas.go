package main

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"

	"helm.sh/helm/v4/pkg/kube"
)

// replicasAnnotation is what the chart's values say of the replicas of a
// Deployment. Where it does not change, the chart leaves their number alone.
const replicasAnnotation = "openservicemesh.io/replicas"

// scaledClient is Helm's client, but that replicas are left to those who scale
// them where the chart cannot: those of a release that the annotation is not of,
// and those of one that is gone back to.
type scaledClient struct {
	*kube.Client
	before    map[string]int64 // the replicas of the Deployments as the upgrade began
	goingBack bool
}

// Update applies the targets, with the replicas that are to stay.
func (c *scaledClient) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	before := map[string]int64{}
	for _, target := range targets {
		live, err := scaled(target)
		if err != nil {
			return &kube.Result{}, err
		}
		if live == nil {
			continue
		}
		is, _ := replicasOf(live)
		before[target.Name] = is
		if !c.goingBack {
			keepReplicas(live, originals.Get(target), target)
			continue
		}
		if was, known := c.before[target.Name]; known {
			is = was
		}
		setReplicas(target, is)
	}
	c.before = before
	return c.Client.Update(originals, targets, options...)
}

// scaled returns the live form of a Deployment, and nil of anything else.
func scaled(info *resource.Info) (*unstructured.Unstructured, error) {
	if info.Mapping.GroupVersionKind.GroupKind().String() != "Deployment.apps" {
		return nil, nil
	}
	return liveForm(info)
}

// liveForm reads the object as it is in the cluster, nil if it is not there.
func liveForm(info *resource.Info) (*unstructured.Unstructured, error) {
	found, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", naming(info), err)
	}
	return found.(*unstructured.Unstructured), nil
}

// keepReplicas has a target keep the replicas that there are if the release has
// not changed them, and the client that scaled them did.
func keepReplicas(live *unstructured.Unstructured, original, target *resource.Info) {
	if original == nil || live.GetAnnotations()[replicasAnnotation] != "" {
		return
	}
	was, has := replicasOf(object(original))
	wanted, has2 := replicasOf(object(target))
	if is, _ := replicasOf(live); has && has2 && was == wanted && is != wanted {
		setReplicas(target, is)
	}
}

func object(info *resource.Info) *unstructured.Unstructured {
	return info.Object.(*unstructured.Unstructured)
}

func replicasOf(deployment *unstructured.Unstructured) (int64, bool) {
	n, has, err := unstructured.NestedInt64(deployment.Object, "spec", "replicas")
	return n, has && err == nil
}

func setReplicas(info *resource.Info, n int64) {
	// It fails only where spec is no object, which the API server will say.
	_ = unstructured.SetNestedField(object(info).Object, n, "spec", "replicas")
}
