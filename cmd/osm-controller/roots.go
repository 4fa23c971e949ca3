package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/provider"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/webhook"
)

// vaultTokenFile is where the chart has the kubelet put a token of the service
// account for logins at Vault.
const vaultTokenFile = "/var/run/secrets/osm/vault/token"

// addRoots follows the MeshRootCertificates.
func (c *controller) addRoots(o *options, config *rest.Config, client kubernetes.Interface, self identity.Identity) error {
	objects, err := newRootClient(config, o.Namespace)
	if err != nil {
		return err
	}
	requests, err := certmanager.NewClient(config)
	if err != nil {
		return err
	}
	c.roots = provider.New(provider.Options{
		Objects:          objects,
		Client:           client,
		CertManager:      requests,
		Namespace:        o.Namespace,
		Mesh:             o.MeshName,
		Self:             self,
		Replica:          o.replica,
		RootSecret:       o.rootSecret,
		VaultAddress:     o.vaultAddress,
		VaultToken:       o.vaultToken,
		VaultTokenFile:   vaultTokenFile,
		Manager:          c.manager,
		Rotation:         staged{c.rotation, c.kept},
		RetirementPeriod: c.retirementPeriod.Now,
		Warn:             c.events.warn,
		Ignored:          c.events.ignored,
		Logger:           c.logger,
	})
	return nil
}

// newRootClient returns the client of the MeshRootCertificates of a namespace.
func newRootClient(config *rest.Config, namespace string) (provider.Objects, error) {
	scheme := runtime.NewScheme()
	if err := v1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/apis", &v1.GroupVersion
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	return gentype.NewClientWithList(
		"meshrootcertificates", client, runtime.NewParameterCodec(scheme), namespace,
		func() *v1.MeshRootCertificate { return &v1.MeshRootCertificate{} },
		func() *v1.MeshRootCertificateList { return &v1.MeshRootCertificateList{} },
	), nil
}

// newMeshValidator validates by what this replica knows of the roots.
func newMeshValidator(roots *provider.Provider) *webhook.Validator {
	return webhook.NewValidator(webhook.ValidatorOptions{
		RootNotAfter: func(context.Context) (time.Time, bool) { return roots.NotAfter() },
		RootUse: func(_ context.Context, name string) (webhook.RootUse, error) {
			use, err := roots.Use(name)
			return webhook.RootUse{Signs: use.Signs, Successor: use.Successor, Until: use.Until}, err
		},
	})
}
