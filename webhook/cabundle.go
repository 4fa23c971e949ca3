package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	apiextensionsv1client "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	admissionv1client "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/util/retry"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// CABundlesOptions names the objects that carry the mesh's caBundle, and the
// clients that read and patch them.
type CABundlesOptions struct {
	// Webhooks is used for the two kinds of webhook configurations.
	Webhooks admissionv1client.AdmissionregistrationV1Interface
	// Definitions is used for CustomResourceDefinitions.
	Definitions apiextensionsv1client.CustomResourceDefinitionsGetter

	// MutatingWebhookConfigurations by name: every webhook of each is set.
	MutatingWebhookConfigurations []string
	// ValidatingWebhookConfigurations by name: every webhook of each is set.
	ValidatingWebhookConfigurations []string
	// CustomResourceDefinitions by name, such as
	// "meshconfigs.config.openservicemesh.io": all must convert by webhook.
	CustomResourceDefinitions []string

	// Logger gets the objects that were changed. Default: none are logged.
	Logger *slog.Logger
}

// CABundles tells the API server which roots to trust when it calls the
// webhooks of the mesh.
type CABundles struct {
	targets []target
	logger  *slog.Logger
}

// NewCABundles returns a publisher to the objects that options name.
func NewCABundles(options CABundlesOptions) *CABundles {
	c := &CABundles{logger: options.Logger}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	for _, name := range options.MutatingWebhookConfigurations {
		c.targets = append(c.targets, newTarget("MutatingWebhookConfiguration", name,
			options.Webhooks.MutatingWebhookConfigurations(), mutatingConfigs))
	}
	for _, name := range options.ValidatingWebhookConfigurations {
		c.targets = append(c.targets, newTarget("ValidatingWebhookConfiguration", name,
			options.Webhooks.ValidatingWebhookConfigurations(), validatingConfigs))
	}
	for _, name := range options.CustomResourceDefinitions {
		c.targets = append(c.targets, newTarget("CustomResourceDefinition", name,
			options.Definitions.CustomResourceDefinitions(), conversionConfigs))
	}
	return c
}

// Publish sets the certificates of bundle, PEM, as the caBundle of every webhook and
// conversion of the objects, and writes only to those that differ: it tells
// whether any did. One object's failure does not keep the others from being
// set; the error joins them all and names each object.
func (c *CABundles) Publish(ctx context.Context, bundle []byte) (changed bool, err error) {
	// An empty caBundle would not mean "no CA": the API server would then
	// trust the system's roots.
	certificates, err := trustbundle.ParseCertificates(bundle)
	if err != nil {
		return false, fmt.Errorf("publishing the caBundle: bundle: %w", err)
	}
	bundle = trustbundle.Encode(certificates...)
	var failures []error
	for _, target := range c.targets {
		differed, err := target.publish(ctx, bundle)
		if err != nil {
			failures = append(failures, fmt.Errorf("publishing the caBundle to %s %s: %w", target.kind, target.name, err))
		}
		if differed {
			changed = true
			c.logger.InfoContext(ctx, "caBundle published", "kind", target.kind, "name", target.name)
		}
	}
	return changed, errors.Join(failures...)
}

// publish reads again and retries when the object changed under the patch.
func (t target) publish(ctx context.Context, bundle []byte) (changed bool, err error) {
	err = retry.OnError(retry.DefaultRetry, changedMeanwhile, func() error {
		configs, err := t.read(ctx)
		if err != nil {
			return err
		}
		patch, err := bundlePatch(configs, bundle)
		if err != nil || patch == nil {
			return err
		}
		err = t.patch(ctx, patch)
		changed = err == nil
		return err
	})
	return changed, err
}

// changedMeanwhile tells whether err is how an API server answers a JSON patch
// whose test operation failed (422), or that lost a race of writers (409).
func changedMeanwhile(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsConflict(err)
}

type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// bundlePatch returns the JSON patch that sets bundle where it differs, nil
// when it lies everywhere already. A patch instead of an update keeps fields
// that this program's version of the API does not know.
func bundlePatch(configs []clientConfig, bundle []byte) ([]byte, error) {
	var patch []patchOperation
	for _, config := range configs {
		if bytes.Equal(config.caBundle, bundle) {
			continue
		}
		patch = append(patch,
			patchOperation{"test", config.guard.path, config.guard.value},
			patchOperation{"add", config.path, bundle})
	}
	if patch == nil {
		return nil, nil
	}
	return json.Marshal(patch)
}
