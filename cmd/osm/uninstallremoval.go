package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

// removal takes objects away, and says each.
type removal struct {
	*uninstallOptions
	out  *terminal
	keep []found
	left []leftover // those of other tools that were said
}

// clear deletes the objects of these kinds until there are none: what was being
// written as the control plane ended comes a moment later, and the API server
// calls a webhook for a moment after it is deleted.
func (r *removal) clear(ctx context.Context, kinds []kind, all extent) error {
	client, err := r.metadata()
	if err != nil {
		return err
	}
	var remaining []found
	var refusals map[leftover]error
	again := map[leftover]bool{}
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		objects, err := r.find(ctx, kinds, all)
		if unconverted(err) {
			return false, nil // the API server has not seen yet that nothing is converted
		}
		if err == nil {
			objects, err = r.withoutKept(ctx, objects)
		}
		if err != nil {
			return false, err
		}
		r.sayGone(remaining, objects)
		noteAgain(again, remaining, objects)
		remaining = objects
		refusals, err = deleteAll(ctx, client, objects)
		return len(objects) == 0, err
	})
	if wait.Interrupted(err) && len(remaining) > 0 {
		return r.stuck(remaining, refusals, again)
	}
	if err != nil {
		return fmt.Errorf("delete what is left of the mesh: %w", err)
	}
	return nil
}

// withoutKept leaves out what is to stay, and what another tool manages.
func (r *removal) withoutKept(ctx context.Context, objects []found) (rest []found, err error) {
	for _, one := range objects {
		if slices.ContainsFunc(r.keep, func(k found) bool { return k.leftover == one.leftover }) {
			continue
		}
		tool, err := r.cluster.keeper(ctx, one.object, r.meshName)
		if err != nil {
			return nil, err
		}
		switch {
		case tool == nil:
			rest = append(rest, one)
		case !slices.Contains(r.left, one.leftover):
			r.left = append(r.left, one.leftover)
			r.out.say(beware, "%s is left: it is managed by %s", one, tool.name)
		}
	}
	return rest, nil
}

// sayGone says which objects are no more.
func (r *removal) sayGone(before, now []found) {
	for _, one := range before {
		if !slices.ContainsFunc(now, func(other found) bool { return other.leftover == one.leftover }) {
			r.out.say(done, "%s is deleted", one)
		}
	}
}

// noteAgain notes what was deleted and is there again, as another object.
func noteAgain(again map[leftover]bool, before, now []found) {
	for _, one := range now {
		if slices.ContainsFunc(before, func(other found) bool { return other.leftover == one.leftover && other.object.UID != one.object.UID }) {
			again[one.leftover] = true
		}
	}
}

// deleteAll returns the refusals that may end. It fails if the user may not.
func deleteAll(ctx context.Context, client metadata.Interface, objects []found) (map[leftover]error, error) {
	refusals := map[leftover]error{}
	for _, one := range objects {
		if one.object.DeletionTimestamp != nil {
			continue
		}
		background := metav1.DeletePropagationBackground
		err := client.Resource(one.kind.GroupVersionResource).Namespace(one.namespace).Delete(ctx, one.name, metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &one.object.UID},
		})
		switch {
		case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		case lacksRight(err):
			return nil, fmt.Errorf("delete %s: %w", one, err)
		default:
			refusals[one.leftover] = err
		}
	}
	return refusals, nil
}

// awaitNamespace waits for the end of the mesh namespace if it is being deleted,
// by osm or by another.
func (r *removal) awaitNamespace(ctx context.Context) error {
	client, err := r.cluster.client()
	if err != nil {
		return err
	}
	var last *corev1.Namespace
	err = persist(ctx, func(ctx context.Context) (bool, error) {
		found, err := client.CoreV1().Namespaces().Get(ctx, r.cluster.meshNamespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && found.DeletionTimestamp == nil {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		last = found
		r.out.moment("namespace %s ends", r.cluster.meshNamespace)
		return false, nil
	})
	if !wait.Interrupted(err) || last == nil {
		return err
	}
	var reasons []string
	for _, c := range last.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			reasons = append(reasons, c.Message)
		}
	}
	return fmt.Errorf("namespace %s has not ended after %s: %s", last.Name, r.timeout, strings.Join(reasons, "; "))
}

// endConversions has the definitions convert nothing, for who converted is gone,
// and the API server reads all objects of a kind before it deletes it.
func (o *uninstallOptions) endConversions(ctx context.Context) error {
	config, err := o.cluster.config()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := o.find(ctx, []kind{definitions}, everything)
	if err != nil {
		return err
	}
	patch := []byte(`{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
	for _, one := range objects {
		if keeperOf(one.object) != nil {
			continue
		}
		_, err := client.Resource(definitions.GroupVersionResource).Patch(ctx, one.name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("end the conversion of %s: %w", one.name, err)
		}
	}
	return nil
}

// stuck says of each object that is there after all why it is.
func (r *removal) stuck(objects []found, refusals map[leftover]error, again map[leftover]bool) error {
	var lines []string
	for _, one := range objects {
		line := fmt.Sprintf("%s is not deleted yet", one)
		if refusal := refusals[one.leftover]; refusal != nil {
			line = fmt.Sprintf("%s is not deleted: %v", one, refusal)
		}
		if again[one.leftover] {
			line = fmt.Sprintf("%s is made again each time that it is deleted, by %s: stop that first", one, makersOf(one.object))
		}
		if len(one.object.Finalizers) > 0 {
			line = fmt.Sprintf("%s %s", one, waitsForFinalizers(one.kind.GroupVersionResource, one.object))
		}
		lines = append(lines, line)
	}
	return fmt.Errorf("not gone after %s:\n  %s", r.timeout, strings.Join(lines, "\n  "))
}

// waitsForFinalizers says what an object waits for, and how that is ended by hand.
func waitsForFinalizers(resource schema.GroupVersionResource, o metav1.Object) string {
	kind := resource.Resource
	if resource.Group != "" {
		kind += "." + resource.Version + "." + resource.Group
	}
	return fmt.Sprintf("waits for its finalizer %s: start what removes it, or\n    kubectl patch %s %s%s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
		strings.Join(o.GetFinalizers(), ", "), kind, o.GetName(), inNamespace(o.GetNamespace()))
}

// makersOf names the programs that have written an object.
func makersOf(o metav1.Object) string {
	var names []string
	for _, entry := range o.GetManagedFields() {
		if !slices.Contains(names, entry.Manager) {
			names = append(names, entry.Manager)
		}
	}
	if len(names) == 0 {
		return "a program unknown"
	}
	return strings.Join(names, ", ")
}

func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " -n " + namespace
}
