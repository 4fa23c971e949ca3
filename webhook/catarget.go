package webhook

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// target is one object whose caBundles are set.
type target struct {
	kind, name string
	// read returns the object's client configurations, at least one.
	read func(context.Context) ([]clientConfig, error)
	// patch applies a JSON patch to the object.
	patch func(ctx context.Context, patch []byte) error
}

// clientConfig is one place in an object where a caBundle lies.
type clientConfig struct {
	// guard holds when the place is still the one that was read.
	guard    guardTest
	path     string
	caBundle []byte
}

// guardTest is a JSON pointer and the string that lies there.
type guardTest struct{ path, value string }

// objectClient is what the typed clients of the three kinds have in common.
type objectClient[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

func newTarget[T any](kind, name string, client objectClient[T], configs func(T) ([]clientConfig, error)) target {
	return target{
		kind: kind, name: name,
		read: func(ctx context.Context) ([]clientConfig, error) {
			object, err := client.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("%w: the mesh's chart creates it, install or upgrade the chart", err)
			}
			if err != nil {
				return nil, err
			}
			return configs(object)
		},
		patch: func(ctx context.Context, patch []byte) error {
			_, err := client.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
			return err
		},
	}
}

var errNoWebhooks = errors.New("it has no webhooks: upgrade the mesh's chart, which writes them")

func mutatingConfigs(object *admissionregistrationv1.MutatingWebhookConfiguration) ([]clientConfig, error) {
	var configs []clientConfig
	for i, webhook := range object.Webhooks {
		configs = append(configs, webhookConfig(i, webhook.Name, webhook.ClientConfig.CABundle))
	}
	if configs == nil {
		return nil, errNoWebhooks
	}
	return configs, nil
}

func validatingConfigs(object *admissionregistrationv1.ValidatingWebhookConfiguration) ([]clientConfig, error) {
	var configs []clientConfig
	for i, webhook := range object.Webhooks {
		configs = append(configs, webhookConfig(i, webhook.Name, webhook.ClientConfig.CABundle))
	}
	if configs == nil {
		return nil, errNoWebhooks
	}
	return configs, nil
}

func webhookConfig(index int, name string, caBundle []byte) clientConfig {
	path := fmt.Sprintf("/webhooks/%d", index)
	return clientConfig{
		guard:    guardTest{path + "/name", name},
		path:     path + "/clientConfig/caBundle",
		caBundle: caBundle,
	}
}

func conversionConfigs(object *apiextensionsv1.CustomResourceDefinition) ([]clientConfig, error) {
	conversion := object.Spec.Conversion
	if conversion == nil || conversion.Webhook == nil || conversion.Webhook.ClientConfig == nil {
		return nil, errors.New("spec.conversion names no webhook: upgrade the mesh's chart, which sets it")
	}
	return []clientConfig{{
		guard:    guardTest{"/spec/conversion/strategy", string(apiextensionsv1.WebhookConverter)},
		path:     "/spec/conversion/webhook/clientConfig/caBundle",
		caBundle: conversion.Webhook.ClientConfig.CABundle,
	}}, nil
}
