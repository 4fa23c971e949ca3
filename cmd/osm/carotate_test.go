package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/check"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/trust"
)

func TestARootIsLeftAloneThatOSMMustNotDelete(t *testing.T) {
	signs := []metav1.Condition{{Type: v1.ConditionSigning, Status: metav1.ConditionTrue}}
	of := func(p v1.Provider) []v1.MeshRootCertificate {
		return []v1.MeshRootCertificate{{Spec: v1.MeshRootCertificateSpec{Role: v1.Active, Provider: p}, Status: v1.MeshRootCertificateStatus{Conditions: signs}}}
	}
	own := of(v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "osm-ca-bundle"}}})
	tests := map[string]struct {
		roots []v1.MeshRootCertificate
		step  trust.Step
		want  string
	}{
		"nothing signs":            {nil, trust.Settled, "see osm check"},
		"one is being distributed": {own, trust.Distribute, "at step distribute"},
		"one has begun to sign":    {own, trust.Sign, "at step sign"},
		"it is Vault's":            {of(v1.Provider{Vault: &v1.Vault{Mount: "pki-2"}}), trust.Settled, "vault write pki-2/root/replace default=next"},
		"it is cert-manager's": {of(v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "ca", Kind: "Issuer"}}}), trust.Settled,
			"ca.crt of Secret osm-system/osm-ca-bundle"},
		"its Secret is gone": {own, trust.Settled, "does not exist"},
		"there is no room":   {own, trust.Retire, "32 roots are trusted, and a new one waits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bundle := issuer.NewTrustBundle(newRoot(t))
			for test.step == trust.Retire && len(bundle.Roots()) < trust.MaxRoots {
				bundle = bundle.Union(issuer.NewTrustBundle(newRoot(t)))
			}
			state, err := trust.Parse(map[string]string{
				trust.BundleKey: string(bundle.PEM()), "rotation.json": `{"step":"` + string(test.step) + `"}`,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = replaceable(&check.Snapshot{Mesh: "osm", Namespace: "osm-system", Now: noon(), Roots: test.roots}, state)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
