package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

func TestARootIsLeftAloneThatOSMMustNotDelete(t *testing.T) {
	signs := []metav1.Condition{{Type: v1.ConditionSigning, Status: metav1.ConditionTrue}}
	of := func(p v1.Provider) []v1.MeshRootCertificate {
		return []v1.MeshRootCertificate{{Spec: v1.MeshRootCertificateSpec{Role: v1.Active, Provider: p}, Status: v1.MeshRootCertificateStatus{Conditions: signs}}}
	}
	own := of(v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "osm-ca-bundle"}}})
	tests := map[string]struct {
		roots []v1.MeshRootCertificate
		step  rotation.Step
		want  string
	}{
		"nothing signs":            {nil, rotation.Idle, "see osm check"},
		"one is being distributed": {own, rotation.Distribute, "at step distribute"},
		"one has begun to sign":    {own, rotation.Sign, "at step sign"},
		"it is Vault's":            {of(v1.Provider{Vault: &v1.Vault{Mount: "pki-2"}}), rotation.Idle, "vault write pki-2/root/replace default=next"},
		"it is cert-manager's": {of(v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "ca", Kind: "Issuer"}}}), rotation.Idle,
			"ca.crt of Secret osm-system/osm-ca-bundle"},
		"its Secret is gone": {own, rotation.Idle, "does not exist"},
		"there is no room":   {own, rotation.Retire, "32 roots are trusted, and a new one waits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bundle := trustbundle.New(newRoot(t))
			for test.step == rotation.Retire && len(bundle.Roots()) < rotation.MaxRoots {
				bundle = bundle.Union(trustbundle.New(newRoot(t)))
			}
			state, err := rotation.Parse(map[string]string{
				rotation.BundleKey: string(bundle.PEM()), "rotation.json": `{"step":"` + string(test.step) + `"}`,
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
