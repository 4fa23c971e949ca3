package convert_test

import (
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/randfill"

	"github.com/osm-edge/osm/manifests/crd/convert"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/v1alpha2"
)

const rounds = 500

// filler makes up objects of any content, some of which can be valid.
func filler(seed int64) *randfill.Filler {
	return randfill.New().RandSource(rand.NewSource(seed)).NilChance(0.4).NumElements(0, 4).Funcs(
		func(*metav1.TypeMeta, randfill.Continue) {},
		func(m *metav1.ObjectMeta, c randfill.Continue) {
			m.Name, m.Namespace = c.String(0), pick(c, "osm-system", "")
			if c.Bool() {
				m.Annotations = map[string]string{"mine": c.String(0)}
			}
		},
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(c.Int63n(1<<32), 0) },
		func(l *corev1.ResourceList, c randfill.Continue) {
			if c.Bool() {
				*l = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(pick(c, "100m", "1", "0.5", "1e3"))}
			}
		},
		func(r *corev1.ResourceRequirements, c randfill.Continue) {
			c.Fill(&r.Limits)
			c.Fill(&r.Requests)
		},
		// Half of the texts are such as have a meaning somewhere.
		func(s *string, c randfill.Continue) {
			*s = pick(c, c.String(0), "", "osm-system", "vault", "::1", "warning", "off", "passive", "https", "24h")
		},
		func(a *v1.KeyAlgorithm, c randfill.Continue) {
			*a = v1.KeyAlgorithm(pick(c, "", "ecdsa-p256", "rsa-4096", "x"))
		},
		func(l *v1.LogLevel, c randfill.Continue) { *l = v1.LogLevel(pick(c, "", "debug", "error", "x")) },
		func(r *v1.Role, c randfill.Continue) { *r = v1.Role(pick(c, "", "Active", "Passive", "x")) },
		// There is only one choice of each.
		func(p *v1.Provider, c randfill.Continue) {
			switch c.Intn(3) {
			case 0:
				p.Tresor = new(v1.Tresor)
				c.Fill(p.Tresor)
			case 1:
				p.Vault = new(v1.Vault)
				c.Fill(p.Vault)
			case 2:
				p.CertManager = new(v1.CertManager)
				c.Fill(p.CertManager)
			}
		},
		func(a *v1.VaultAuth, c randfill.Continue) {
			if c.Bool() {
				c.Fill(&a.TokenSecretRef)
			} else {
				c.Fill(&a.Kubernetes)
			}
		},
		func(v *v1.Vault, c randfill.Continue) {
			c.FillNoCustom(v)
			v.Address = pick(c, v.Address, "https://vault:8200", "http://[::1]:1", "https://vault/path", "https://vault", "http://a@b:1")
		},
	)
}

func pick(c randfill.Continue, from ...string) string { return from[c.Intn(len(from))] }

func TestObjectsOfV1alpha2SurviveV1(t *testing.T) {
	for seed := range int64(rounds) {
		roundTrip(t, seed, v1alpha2.GroupVersion.String(), v1.GroupVersion.String(), &v1alpha2.MeshConfig{}, &v1alpha2.MeshConfig{}, &v1.MeshConfig{})
		roundTrip(t, seed, v1alpha2.GroupVersion.String(), v1.GroupVersion.String(), &v1alpha2.MeshRootCertificate{}, &v1alpha2.MeshRootCertificate{}, &v1.MeshRootCertificate{})
	}
}

func TestObjectsOfV1SurviveV1alpha2(t *testing.T) {
	for seed := range int64(rounds) {
		roundTrip(t, seed, v1.GroupVersion.String(), v1alpha2.GroupVersion.String(), &v1.MeshConfig{}, &v1.MeshConfig{}, &v1alpha2.MeshConfig{})
		roundTrip(t, seed, v1.GroupVersion.String(), v1alpha2.GroupVersion.String(), &v1.MeshRootCertificate{}, &v1.MeshRootCertificate{}, &v1alpha2.MeshRootCertificate{})
	}
}

// roundTrip fills object, and converts it from one version to the other and
// back. The tree of JSON has to be the same, and so has what Go makes of it.
func roundTrip(t *testing.T, seed int64, from, to string, object, again, other runtime.Object) {
	t.Helper()
	filler(seed).Fill(object)
	given := toUnstructured(t, object, from)
	converted := given.DeepCopy()
	if err := convert.To(to, converted); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	fromUnstructured(t, converted, other)
	if err := convert.To(from, converted); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if diff := cmp.Diff(given.Object, converted.Object); diff != "" {
		t.Fatalf("seed %d: %T is changed (-before +after):\n%s", seed, object, diff)
	}
	fromUnstructured(t, converted, again)
	again.GetObjectKind().SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
	if !apiequality.Semantic.DeepEqual(object, again) {
		t.Fatalf("seed %d: %T is another Go value: %s", seed, object, cmp.Diff(object, again))
	}
}

func toUnstructured(t *testing.T, object runtime.Object, apiVersion string) *unstructured.Unstructured {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kindOf(object))
	return u
}

func kindOf(object runtime.Object) string {
	switch object.(type) {
	case *v1.MeshConfig, *v1alpha2.MeshConfig:
		return "MeshConfig"
	}
	return "MeshRootCertificate"
}

// fromUnstructured shows also that what is converted has the form of its version.
func fromUnstructured(t *testing.T, u *unstructured.Unstructured, object runtime.Object) {
	t.Helper()
	data, err := json.Marshal(u.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, object); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}
