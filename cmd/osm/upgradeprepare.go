package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// prepare has Helm alone manage what the chart sets, and makes room for what has
// to be made anew.
func (p *upgradePlan) prepare(ctx context.Context) error {
	for _, info := range p.existing {
		after, err := dryRun(info)
		if err != nil {
			return err
		}
		chart, err := appliedFields(after)
		if err != nil {
			return err
		}
		if err := takeOver(info, chart); err != nil {
			return err
		}
	}
	for _, info := range p.reset {
		if err := takeOver(info, nil); err != nil {
			return err
		}
	}
	for _, info := range p.replaced {
		if err := deleteNow(ctx, info); err != nil {
			return fmt.Errorf("replace %s: %w", naming(info), err)
		}
	}
	return nil
}

// takeOver makes Helm the manager of what the chart sets, or of everything that
// was set by hand if chart is nil.
func takeOver(info *resource.Info, chart *fieldpath.Set) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := liveForm(info)
		if live == nil {
			return err
		}
		entries, changed, err := takenOver(live.GetManagedFields(), chart)
		if err != nil || !changed {
			return err
		}
		patch, err := takeOverPatch(live, entries)
		if err != nil {
			return err
		}
		_, err = resource.NewHelper(info.Client, info.Mapping).WithFieldManager(helmManager).Patch(info.Namespace, info.Name, types.JSONPatchType, patch, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("take over %s: %w", naming(info), err)
	}
	return nil
}

func deleteNow(ctx context.Context, info *resource.Info) error {
	background := metav1.DeletePropagationBackground
	_, err := resource.NewHelper(info.Client, info.Mapping).DeleteWithOptions(info.Namespace, info.Name, &metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	var last *unstructured.Unstructured
	err = wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		live, err := liveForm(info)
		if err != nil {
			return false, unlessPassing(err)
		}
		last = live
		return live == nil, nil
	})
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case last != nil && len(last.GetFinalizers()) > 0:
		return fmt.Errorf("it %s", waitsForFinalizers(info.Mapping.Resource, last))
	}
	return fmt.Errorf("it is deleted, and is still there: %w", err)
}
