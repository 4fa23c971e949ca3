package bootstrap

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

var (
	tresorA     = v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "a"}}}
	tresorB     = v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "b"}}}
	vault       = v1.Provider{Vault: &v1.Vault{}}
	certManager = v1.Provider{CertManager: &v1.CertManager{}}
)

// rootOf returns a MeshRootCertificate that was created in the given second.
func rootOf(name string, second int64, role v1.Role, provider v1.Provider) v1.MeshRootCertificate {
	return v1.MeshRootCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(second, 0))},
		Spec:       v1.MeshRootCertificateSpec{Role: role, Provider: provider},
	}
}

func TestTheNewestActiveRootSigns(t *testing.T) {
	tests := map[string]struct {
		roots   []v1.MeshRootCertificate
		signing v1.Provider
		tresor  []string
	}{
		"none":                      {nil, v1.Provider{}, nil},
		"one":                       {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, tresorA)}, tresorA, []string{"a"}},
		"the newest of two":         {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, tresorA), rootOf("y", 2, v1.Active, tresorB)}, tresorB, []string{"b", "a"}},
		"of one second, by name":    {[]v1.MeshRootCertificate{rootOf("y", 1, v1.Active, tresorB), rootOf("x", 1, v1.Active, tresorA)}, tresorB, []string{"b", "a"}},
		"not a newer passive one":   {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, vault), rootOf("y", 2, v1.Passive, tresorB)}, vault, []string{"b"}},
		"not a newer inactive one":  {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, certManager), rootOf("y", 2, v1.Inactive, tresorB)}, certManager, nil},
		"none that is only trusted": {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Passive, tresorA)}, v1.Provider{}, []string{"a"}},
		"not a newer revoked one":   {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, tresorA), rootOf("y", 2, v1.Revoked, tresorB)}, tresorA, []string{"a"}},
		"two of one secret":         {[]v1.MeshRootCertificate{rootOf("x", 1, v1.Active, tresorA), rootOf("y", 2, v1.Active, tresorA)}, tresorA, []string{"a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := authoritiesOf(test.roots)
			if got.signing != test.signing || !slices.Equal(got.tresor, test.tresor) {
				t.Errorf("signing is %+v, and secrets are %q", got.signing, got.tresor)
			}
		})
	}
}
