package bootstrap

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

var errForbidden = errors.New("forbidden")

func TestTheRootIsPublishedBeforeAnythingIsServed(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	if len(m.published) != 1 || m.published[0].served != 0 {
		t.Fatalf("published %+v", m.published)
	}
	if want := trustbundle.New(m.currentRoot(t)); !m.published[0].bundle.Equal(want) {
		t.Errorf("published %s, want %s", m.published[0].bundle, want)
	}
}

func TestRootsThatAreTrustedStillArePublishedToo(t *testing.T) {
	m, old := newMesh(), testkit.CA(t).Root()
	m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.New(old), nil }
	mustOnce(t, m)
	if want := trustbundle.New(old, m.currentRoot(t)); !m.published[0].bundle.Equal(want) {
		t.Errorf("published %s, want %s", m.published[0].bundle, want)
	}
}

func TestTheSecondTimeNothingIsWritten(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	m.client.ClearActions()
	mustOnce(t, m)
	for _, action := range m.client.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("%s of %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
	if !m.published[0].bundle.Equal(m.published[1].bundle) {
		t.Error("another bundle is published")
	}
}

func TestARefusedRootIsReportedAndNotWritten(t *testing.T) {
	m := newMesh(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-ca-bundle"}})
	err := m.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), `secret osm-system/osm-ca-bundle is refused: key "ca.crt"`) {
		t.Errorf("error %v", err)
	}
	if len(m.refused) != 1 || m.refused[0].Key != "ca.crt" {
		t.Errorf("reported %v", m.refused)
	}
	if got := m.secret(t, "osm-ca-bundle"); len(got.Data) > 0 {
		t.Errorf("it was written to, and has %d keys", len(got.Data))
	}
	m.mustServeFrom(t, m.lastPublished()) // whatever is wrong with the root
}

func TestWhatIsTrustedMustBeKnown(t *testing.T) {
	m := newMesh()
	m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.TrustBundle{}, errors.New("malformed") }
	if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "read the trusted roots: malformed") {
		t.Errorf("error %v", err)
	}
	if len(m.published) > 0 {
		t.Error("a bundle is published that may lack a root")
	}
}

func TestCustomResourceDefinitionsAreApplied(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	names := map[string]bool{}
	for _, action := range m.extensions.Actions() {
		patch, ok := action.(clienttesting.PatchAction)
		if !ok || patch.GetPatchType() != types.ApplyPatchType {
			t.Fatalf("%s, not apply", action.GetVerb())
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := json.Unmarshal(patch.GetPatch(), crd); err != nil {
			t.Fatal(err)
		}
		names[crd.Name] = true
		config := crd.Spec.Conversion.Webhook.ClientConfig
		if config.Service.Namespace != "osm-system" || config.CABundle != nil || !maps.Equal(crd.Labels, meshLabels) {
			t.Errorf("%s: conversion by %v, a caBundle of %d bytes, labels %v", crd.Name, config.Service, len(config.CABundle), crd.Labels)
		}
	}
	for _, name := range []string{"meshconfigs.config.openservicemesh.io", "meshrootcertificates.config.openservicemesh.io"} {
		if !names[name] {
			t.Errorf("%s is not applied", name)
		}
	}
}

func TestADefinitionThatCannotBeAppliedIsNamed(t *testing.T) {
	m := newMesh()
	m.extensions.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errForbidden
	})
	if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "meshconfigs.config.openservicemesh.io: forbidden") {
		t.Errorf("error %v", err)
	}
	if len(m.client.Actions()) > 0 {
		t.Error("went on")
	}
}
