package webhook_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsfake "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/fake"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/webhook"
)

// fakeCluster holds the objects that the mesh's chart creates.
type fakeCluster struct {
	webhooks    *fake.Clientset
	definitions *apiextensionsfake.Clientset
}

func newFakeCluster() fakeCluster {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-webhook-osm"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			{Name: "osm-inject.k8s.io", ClientConfig: serviceConfig("osm-injector")},
			{Name: "second.k8s.io", ClientConfig: serviceConfig("osm-injector")},
		},
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-validator-mesh-osm"},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "osm-validator.k8s.io", ClientConfig: serviceConfig("osm-validator")}},
	}
	definition := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "meshconfigs.config.openservicemesh.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{Conversion: &apiextensionsv1.CustomResourceConversion{
			Strategy: apiextensionsv1.WebhookConverter,
			Webhook:  &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{}},
		}},
	}
	return fakeCluster{fake.NewClientset(mutating, validating), apiextensionsfake.NewClientset(definition)}
}

func serviceConfig(name string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{Namespace: "osm-system", Name: name},
	}
}

func (c fakeCluster) caBundles() *webhook.CABundles {
	return webhook.NewCABundles(webhook.CABundlesOptions{
		Webhooks:                        c.webhooks.AdmissionregistrationV1(),
		Definitions:                     c.definitions.ApiextensionsV1(),
		MutatingWebhookConfigurations:   []string{"osm-webhook-osm"},
		ValidatingWebhookConfigurations: []string{"osm-validator-mesh-osm"},
		CustomResourceDefinitions:       []string{"meshconfigs.config.openservicemesh.io"},
	})
}

// published returns every caBundle of the cluster, by where it lies.
func (c fakeCluster) published(t *testing.T) map[string][]byte {
	t.Helper()
	bundles := map[string][]byte{}
	mutating, err := c.webhooks.AdmissionregistrationV1().MutatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range mutating.Items[0].Webhooks {
		bundles[hook.Name] = hook.ClientConfig.CABundle
	}
	validating, err := c.webhooks.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range validating.Items[0].Webhooks {
		bundles[hook.Name] = hook.ClientConfig.CABundle
	}
	definitions, err := c.definitions.ApiextensionsV1().CustomResourceDefinitions().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bundles["conversion"] = definitions.Items[0].Spec.Conversion.Webhook.ClientConfig.CABundle
	return bundles
}

func (c fakeCluster) writes() int {
	return countWrites(c.webhooks.Actions()) + countWrites(c.definitions.Actions())
}

func countWrites(actions []clienttesting.Action) int {
	writes := 0
	for _, action := range actions {
		if !slices.Contains([]string{"get", "list", "watch"}, action.GetVerb()) {
			writes++
		}
	}
	return writes
}

func TestPublishSetsEveryCABundleAndWritesOnlyWhereItDiffers(t *testing.T) {
	cluster := newFakeCluster()
	first := newTestCA(t).pem()
	both := slices.Concat(first, newTestCA(t).pem())
	for i, bundle := range [][]byte{first, first, both} {
		changed, err := cluster.caBundles().Publish(t.Context(), bundle)
		if err != nil {
			t.Fatal(err)
		}
		if want := []bool{true, false, true}[i]; changed != want {
			t.Errorf("publication %d: changed %t, want %t", i, changed, want)
		}
		published := cluster.published(t)
		if len(published) != 4 {
			t.Fatalf("found %d places of a caBundle", len(published))
		}
		for place, got := range published {
			if !bytes.Equal(got, bundle) {
				t.Errorf("publication %d: %s has another caBundle", i, place)
			}
		}
		if got, want := cluster.writes(), []int{3, 3, 6}[i]; got != want {
			t.Errorf("publication %d: %d writes so far, want %d", i, got, want)
		}
	}
}

func TestABundleThatIsNotOnlyCertificatesIsNotPublished(t *testing.T) {
	p := newTestCA(t).issue(t)
	for name, bundle := range map[string][]byte{
		"nothing":            nil,
		"blank":              []byte("\n"),
		"garbage":            []byte("garbage"),
		"a private key":      slices.Concat(p.certificate, p.key),
		"not a certificate":  []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"half a block after": append(bytes.Clone(p.certificate), "-----BEGIN"...),
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newFakeCluster()
			if _, err := cluster.caBundles().Publish(t.Context(), bundle); err == nil {
				t.Error("published")
			}
			if cluster.writes() != 0 {
				t.Error("something was written")
			}
		})
	}
}

func TestAnObjectThatCanNotBeSetIsNamedAndTheOthersAreSet(t *testing.T) {
	tests := map[string]struct {
		spoil func(*testing.T, fakeCluster)
		want  []string
	}{
		"the configuration is missing": {
			func(t *testing.T, c fakeCluster) {
				err := c.webhooks.Tracker().Delete(admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingwebhookconfigurations"), "", "osm-webhook-osm")
				if err != nil {
					t.Fatal(err)
				}
			},
			[]string{"MutatingWebhookConfiguration osm-webhook-osm", "not found", "the mesh's chart creates it"},
		},
		"the configuration is empty": {
			func(t *testing.T, c fakeCluster) {
				empty := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "osm-webhook-osm"}}
				err := c.webhooks.Tracker().Update(admissionregistrationv1.SchemeGroupVersion.WithResource("mutatingwebhookconfigurations"), empty, "")
				if err != nil {
					t.Fatal(err)
				}
			},
			[]string{"MutatingWebhookConfiguration osm-webhook-osm", "no webhooks"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cluster := newFakeCluster()
			test.spoil(t, cluster)
			_, err := cluster.caBundles().Publish(t.Context(), newTestCA(t).pem())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if cluster.writes() != 2 {
				t.Errorf("%d of the two other objects were set", cluster.writes())
			}
		})
	}
}

func TestADefinitionWithoutAConversionWebhookIsNamed(t *testing.T) {
	cluster := newFakeCluster()
	cluster.definitions = apiextensionsfake.NewClientset(&apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "meshconfigs.config.openservicemesh.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter},
		},
	})
	_, err := cluster.caBundles().Publish(t.Context(), newTestCA(t).pem())
	want := "CustomResourceDefinition meshconfigs.config.openservicemesh.io: spec.conversion names no webhook"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v lacks %q", err, want)
	}
}

func TestAPatchThatMetAnotherWriterIsTriedAgainOnTheNewObject(t *testing.T) {
	cluster := newFakeCluster()
	failures := 0
	cluster.webhooks.PrependReactor("patch", "mutatingwebhookconfigurations",
		func(clienttesting.Action) (bool, runtime.Object, error) {
			if failures == 2 {
				return false, nil, nil
			}
			failures++
			// What an API server answers when a test operation fails.
			return true, nil, apierrors.NewGenericServerResponse(422, "patch", schema.GroupResource{}, "", "testing value failed", 0, false)
		})
	bundle := newTestCA(t).pem()
	if _, err := cluster.caBundles().Publish(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(cluster.published(t)["osm-inject.k8s.io"], bundle) {
		t.Error("the caBundle was not set")
	}
}

func TestAPatchTestsThatEachWebhookIsTheOneThatWasRead(t *testing.T) {
	cluster := newFakeCluster()
	if _, err := cluster.caBundles().Publish(t.Context(), newTestCA(t).pem()); err != nil {
		t.Fatal(err)
	}
	for _, action := range cluster.webhooks.Actions() {
		patch, ok := action.(clienttesting.PatchAction)
		if !ok || patch.GetName() != "osm-webhook-osm" {
			continue
		}
		for i, name := range []string{"osm-inject.k8s.io", "second.k8s.io"} {
			want := fmt.Sprintf(`{"op":"test","path":"/webhooks/%d/name","value":%q}`, i, name)
			if !strings.Contains(string(patch.GetPatch()), want) {
				t.Errorf("the patch lacks %s", want)
			}
		}
		return
	}
	t.Error("no patch")
}
