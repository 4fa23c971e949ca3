package layers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/issuer/vault/names"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/render"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/webhook"
)

const (
	namespace = "osm-system"
	rounds    = 15 // of made-up values for each field
)

// server is an API server with the mesh's definitions, and nothing of the mesh.
type server struct{ objects dynamic.Interface }

func newServer(t *testing.T) *server {
	t.Helper()
	c, err := cluster.Connect(t.Context(), os.Stderr)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	definitions, err := apiextensionsclient.NewForConfig(c.Config())
	must(t, err)
	crds, err := manifests.CRDs(namespace)
	must(t, err)
	for _, crd := range crds {
		crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter} // one version is written here
		_, err := definitions.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), crd, metav1.CreateOptions{})
		must(t, err)
	}
	client, err := kubernetes.NewForConfig(c.Config())
	must(t, err)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(t, err)
	objects, err := dynamic.NewForConfig(c.Config())
	must(t, err)
	s := &server{objects}
	s.served(t)
	return s
}

// served waits until the definitions are.
func (s *server) served(t *testing.T) {
	t.Helper()
	for {
		_, root := s.schema(t.Context(), "MeshRootCertificate", rootWith("role", "osm"))
		_, config := s.schema(t.Context(), "MeshConfig", configWith("24h"))
		switch {
		case root == nil && config == nil:
			return
		case t.Context().Err() != nil:
			t.Fatal(root, config)
		case root != nil && !apierrors.IsNotFound(root), config != nil && !apierrors.IsNotFound(config):
			t.Fatal(root, config)
		}
	}
}

// schema asks the API server whether it would take an object. It returns what it
// makes of it, with defaults.
func (s *server) schema(ctx context.Context, kind string, spec map[string]any) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": v1.GroupVersion.String(), "kind": kind, "spec": spec}}
	object.SetName("mine")
	object.SetNamespace(namespace)
	resource := v1.GroupVersion.WithResource(strings.ToLower(kind) + "s")
	created, err := s.objects.Resource(resource).Namespace(namespace).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return object, err
	}
	return created, nil
}

func hook(ctx context.Context, t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	raw, err := json.Marshal(object.Object)
	must(t, err)
	answer := webhook.NewValidator(webhook.ValidatorOptions{}).Handle(ctx, admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Kind:      metav1.GroupVersionKind{Group: v1.GroupVersion.Group, Version: v1.GroupVersion.Version, Kind: object.GetKind()},
		Operation: admissionv1.Create, Namespace: namespace, Name: object.GetName(), Object: runtime.RawExtension{Raw: raw},
	}})
	if !answer.Allowed {
		return fmt.Errorf("%s", answer.Result.Message)
	}
	return nil
}

// chart renders it with a value, and returns what refuses it.
func chart(values map[string]any) error {
	_, err := render.Chart(render.Options{Namespace: namespace, Values: map[string]any{"osm": values}})
	return err
}

// TestEveryLayerTakesTheSameValues makes up values of each field that several
// layers check. Those that a list names are tried, too.
func TestEveryLayerTakesTheSameValues(t *testing.T) {
	s := newServer(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for name, f := range fields() {
		t.Run(name, func(t *testing.T) {
			taken := 0
			for _, value := range f.values(random) {
				object, schema := s.schema(t.Context(), f.kind, f.spec(value))
				if schema != nil && !apierrors.IsInvalid(schema) {
					t.Fatalf("%q: %v", value, schema)
				}
				hook, running := hook(t.Context(), t, object), f.runs(t, object)
				if (schema == nil && hook == nil) != (running == nil) {
					t.Errorf("%q: the schema says %v, the webhook %v, and at run time %v", value, schema, hook, running)
				}
				if schema != nil && hook == nil {
					t.Errorf("%q: the schema alone refuses it, which an object of v1alpha2 does not see: %v", value, schema)
				}
				if f.chart != nil {
					if chart := chart(f.chart(value)); (chart == nil) != (running == nil) {
						t.Errorf("%q: the chart says %v, and at run time %v", value, chart, running)
					}
				}
				if running == nil {
					taken++
				}
			}
			if taken == 0 {
				t.Error("none was taken")
			}
		})
	}
}

// TestTheChartsAddressOfVaultMeansWhatWasWritten makes up hosts. One that is a
// URL, as VAULT_ADDR is, is that Vault or is refused.
func TestTheChartsAddressOfVaultMeansWhatWasWritten(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	known := []string{"vault", "https://vault:8200", "https://vault:8200/team/", "vault:8200", "[fd00::1]", "fd00::1", "fd00::8200", "1:2:3:4:5:6:7:8200", "https://vault", "http://vault:8200", "vault:8201"}
	for _, host := range (field{known: known, parts: append(addressParts, "vault", "https://", ":8200")}).values(random) {
		objects, err := render.Chart(render.Options{Namespace: namespace, Values: map[string]any{"osm": map[string]any{
			"certificateProvider": map[string]any{"kind": "vault"},
			"vault":               map[string]any{"host": host, "token": "t"},
		}}})
		if err != nil {
			if strings.Contains(err.Error(), "u:p@") {
				t.Errorf("%q: the error shows a password: %v", host, err)
			}
			continue
		}
		address := addressIn(t, objects)
		if err := names.CheckAddress(address); err != nil && !strings.ContainsAny(host, "[:1") { // which IP addresses there are is for osm install
			t.Errorf("%q makes %s: %v", host, address, err)
		}
		if strings.Contains(host, "://") && names.CheckAddress(address) == nil && !names.Same(address, host) {
			t.Errorf("%q makes another address, %s", host, address)
		}
	}
}

// addressIn returns where the chart lets a token of Vault go.
func addressIn(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "Secret" && object.GetName() == "osm-vault-token" {
			return object.GetAnnotations()[v1.AnnotationVaultAddress]
		}
	}
	t.Fatal("there is no Secret of the token")
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
