package webhook_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/osm-edge/osm/webhook"
)

func TestRootsThatTheMeshCanNotWorkWithAreRefusedByFieldAndFix(t *testing.T) {
	const role, domain, provider = "spec.role", "spec.trustDomain", "spec.provider"
	const tresor = `"provider":{"tresor":{"ca":{"secretRef":{"name":"osm-ca-bundle","namespace":"osm-system"}}}}`
	const tresorV1 = `"provider":{"tresor":{"secretRef":{"name":"osm-ca-bundle"}}}`
	tests := map[string]struct {
		version, object string
		want            []string // nothing: allowed
	}{
		"a tresor root":              {"v1alpha2", `{"spec":{"trustDomain":"cluster.local","role":"active",` + tresor + `}}`, nil},
		"a Vault root":               {"v1alpha2", `{"spec":{"provider":{"vault":{"host":"vault","port":8200,"protocol":"https","role":"osm","token":{"secretKeyRef":{"name":"a","key":"b","namespace":"osm-system"}}}}}}`, nil},
		"a root of cert-manager":     {"v1alpha2", `{"spec":{"provider":{"certManager":{"issuerName":"osm-ca"}}}}`, nil},
		"a provider set to null":     {"v1alpha2", `{"spec":{"provider":{"tresor":{"ca":{"secretRef":{"name":"a","namespace":"osm-system"}}},"vault":null}}}`, nil},
		"no provider":                {"v1alpha2", `{"spec":{}}`, []string{provider, "exactly one of tresor, vault and certManager"}},
		"an unknown provider":        {"v1alpha2", `{"spec":{"provider":{"kms":{}}}}`, []string{provider, "exactly one of tresor, vault and certManager"}},
		"two providers":              {"v1alpha2", `{"spec":{"provider":{"vault":{"role":"a","host":"b"},"tresor":{"ca":{"secretRef":{"name":"a"}}}}}}`, []string{provider, "sets tresor and vault", "keep exactly one"}},
		"an unknown role":            {"v1alpha2", `{"spec":{"role":"primary",` + tresor + `}}`, []string{role, "want active, passive or inactive"}},
		"a role of another type":     {"v1alpha2", `{"spec":{"role":1,` + tresor + `}}`, []string{role, "want active, passive or inactive"}},
		"a trust domain with a path": {"v1alpha2", `{"spec":{"trustDomain":"cluster.local/x",` + tresor + `}}`, []string{domain, "cluster.local/x", "not a SPIFFE trust domain"}},
		"a trust domain as a SPIFFE ID": {"v1alpha2", `{"spec":{"trustDomain":"spiffe://cluster.local",` + tresor + `}}`,
			[]string{domain, "not a SPIFFE trust domain"}},
		"a trust domain in capitals":     {"v1alpha2", `{"spec":{"trustDomain":"Cluster.Local",` + tresor + `}}`, []string{domain, "lower-case"}},
		"a trust domain ending in a dot": {"v1", `{"spec":{"trustDomain":"cluster.local.","role":"Active",` + tresorV1 + `}}`, []string{domain, "not a SPIFFE trust domain"}},
		"two wrong fields":               {"v1alpha2", `{"spec":{"role":"x","trustDomain":"X",` + tresor + `}}`, []string{role, domain}},
		"a secret elsewhere": {"v1alpha2", `{"spec":{"provider":{"tresor":{"ca":{"secretRef":{"name":"a","namespace":"elsewhere"}}}}}}`,
			[]string{"spec.provider.tresor.ca.secretRef.namespace", "want osm-system"}},
		"a Vault without a token": {"v1alpha2", `{"spec":{"provider":{"vault":{"host":"vault","role":"osm"}}}}`, []string{"spec.provider.vault.auth", "token"}},
		"a secret of no name":     {"v1alpha2", `{"spec":{"provider":{"tresor":{"ca":{"secretRef":{"name":"A_"}}}}}}`, []string{"spec.provider.tresor.ca.secretRef.name", "A_"}},

		"a v1 root":         {"v1", `{"spec":{"role":"Passive",` + tresorV1 + `}}`, nil},
		"a v1 role of old":  {"v1", `{"spec":{"role":"active",` + tresorV1 + `}}`, []string{role, `"Active", "Passive", "Inactive"`}},
		"two v1 providers":  {"v1", `{"spec":{"role":"Active","provider":{"tresor":{},"certManager":{}}}}`, []string{provider, "sets tresor and certManager"}},
		"a v1 issuer":       {"v1", `{"spec":{"role":"Active","provider":{"certManager":{"issuerRef":{"name":"a","group":"cert-manager.io"}}}}}`, nil},
		"wrong v1 roots":    {"v1", `{"spec":{"role":"Active","provider":{"certManager":{"issuerRef":{"name":"a"},"rootsSecretRef":{"name":"a b"}}}}}`, []string{"rootsSecretRef.name"}},
		"a wrong v1 issuer": {"v1", `{"spec":{"role":"Active","provider":{"certManager":{"issuerRef":{"name":"a b","group":"c d"}}}}}`, []string{"issuerRef.name", "issuerRef.group"}},
		"a v1 Vault": {"v1", `{"spec":{"role":"Active","provider":{"vault":{"address":"https://a/b","mount":"pki/mesh","role":"osm","auth":{"kubernetes":{"role":"osm","mountPath":"kubernetes"}}}}}}`,
			nil},
		"a password in an address": {"v1", `{"spec":{"role":"Active","provider":{"vault":{"address":"https://a:secret@b","role":"osm","auth":{"kubernetes":{"role":"osm"}}}}}}`,
			[]string{"spec.provider.vault.address", "want a URL"}},
		"a mount that climbs": {"v1", `{"spec":{"role":"Active","provider":{"vault":{"address":"https://a","mount":"../sys","role":"a?b","auth":{"kubernetes":{"role":"a//b"}}}}}}`,
			[]string{"vault.mount", "vault.role", "kubernetes.role"}},
		"two logins": {"v1", `{"spec":{"role":"Active","provider":{"vault":{"address":"https://a","role":"osm","auth":{"kubernetes":{"role":"osm"},"tokenSecretRef":{"name":"a","key":"b"}}}}}}`,
			[]string{"spec.provider.vault.auth", "keep exactly one"}},
		"a CA that is none": {"v1", `{"spec":{"role":"Active","provider":{"vault":{"address":"https://a","role":"osm","caBundle":"eA==","auth":{"kubernetes":{"role":"osm"}}}}}}`,
			[]string{"spec.provider.vault.caBundle", "PEM certificates"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := validate(t, webhook.ValidatorOptions{}, validationOf(admissionv1.Create, test.version, "MeshRootCertificate", test.object, "{}"))
			expect(t, response, test.want)
			if !response.Allowed && strings.Contains(response.Result.Message, "secret@") {
				t.Error("the message holds the password")
			}
		})
	}
}

const (
	activeRoot   = `{"spec":{"trustDomain":"cluster.local","role":"Active","provider":{"tresor":{"secretRef":{"name":"a"}}}}}`
	passiveRoot  = `{"spec":{"trustDomain":"cluster.local","role":"Passive","provider":{"tresor":{"secretRef":{"name":"a"}}}}}`
	inactiveRoot = `{"spec":{"trustDomain":"cluster.local","role":"Inactive","provider":{"tresor":{"secretRef":{"name":"a"}}}}}`
	revokedRoot  = `{"spec":{"trustDomain":"cluster.local","role":"Revoked","provider":{"tresor":{"secretRef":{"name":"a"}}}}}`
	forcedRoot   = `{"metadata":{"name":"mine","annotations":{"config.openservicemesh.io/force":"true"}},"spec":{"trustDomain":"cluster.local","role":"Active","provider":{"tresor":{"secretRef":{"name":"a"}}}}}`
)

func TestARootIsNotTakenFromTheCertificatesThatNeedIt(t *testing.T) {
	later := time.Now().Add(time.Hour)
	unused := webhook.RootUse{}
	signs := webhook.RootUse{Signs: true, Until: later}
	replaced := webhook.RootUse{Signs: true, Successor: "next", Until: later}
	followed := webhook.RootUse{Until: later}
	expired := webhook.RootUse{Until: time.Now().Add(-time.Hour)}
	tests := map[string]struct {
		use      webhook.RootUse
		old, new string // no new: a deletion
		want     []string
	}{
		"an unused root is deleted":                        {unused, activeRoot, "", nil},
		"the signing root is not deleted":                  {signs, activeRoot, "", []string{"metadata.name", "make another MeshRootCertificate Active first", "force=true"}},
		"the signing root is deleted by force":             {signs, forcedRoot, "", nil},
		"the signing root is not demoted":                  {signs, activeRoot, passiveRoot, []string{"spec.role", "make another MeshRootCertificate Active first"}},
		"the signing root stays what it is":                {signs, activeRoot, strings.Replace(activeRoot, `"a"`, `"b"`, 1), nil},
		"the signing root is demoted for another":          {replaced, activeRoot, passiveRoot, nil},
		"the signing root is not dropped for another":      {replaced, activeRoot, inactiveRoot, []string{"spec.role", "until next is in use", "Passive"}},
		"the signing root is not deleted for another":      {replaced, passiveRoot, "", []string{"until next is in use"}},
		"a root of living certificates is demoted":         {followed, activeRoot, passiveRoot, nil},
		"a root of living certificates is not dropped":     {followed, passiveRoot, inactiveRoot, []string{"spec.role", later.UTC().Format(time.RFC3339), "Passive until then"}},
		"a root of living certificates is not deleted":     {followed, passiveRoot, "", []string{"metadata.name", "Passive until then"}},
		"a root of expired certificates is dropped":        {expired, passiveRoot, inactiveRoot, nil},
		"a root of expired certificates is deleted":        {expired, passiveRoot, "", nil},
		"the only root is not revoked":                     {signs, activeRoot, revokedRoot, []string{"spec.role", "make another MeshRootCertificate Active first"}},
		"the signing root is revoked for another":          {replaced, activeRoot, revokedRoot, nil},
		"a root of living certificates is revoked":         {followed, passiveRoot, revokedRoot, nil},
		"an inactive root is put to use, whatever it was":  {signs, inactiveRoot, activeRoot, nil},
		"an old root that can't be read may be the signer": {signs, `{"spec":{"role":5}}`, "", []string{"metadata.name"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			operation, object := admissionv1.Update, test.new
			if object == "" {
				operation, object = admissionv1.Delete, "{}"
			}
			options := webhook.ValidatorOptions{RootUse: func(_ context.Context, name string) (webhook.RootUse, error) {
				if name != "mine" {
					t.Errorf("asked for %s", name)
				}
				return test.use, nil
			}}
			expect(t, validate(t, options, validationOf(operation, "v1", "MeshRootCertificate", object, test.old)), test.want)
		})
	}
}

func TestWhileTheUseOfARootIsNotKnownItIsKept(t *testing.T) {
	options := webhook.ValidatorOptions{RootUse: func(context.Context, string) (webhook.RootUse, error) {
		return webhook.RootUse{}, errors.New("not cached yet")
	}}
	response := validate(t, options, validationOf(admissionv1.Delete, "v1", "MeshRootCertificate", "{}", activeRoot))
	expect(t, response, []string{"MeshRootCertificate mine", "not cached yet"})
}

func TestARootStaysTheRootThatItIs(t *testing.T) {
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"another trust domain": {activeRoot, strings.Replace(activeRoot, "cluster.local", "example.com", 1), []string{"spec.trustDomain", "make another MeshRootCertificate"}},
		"another authority": {activeRoot, `{"spec":{"trustDomain":"cluster.local","role":"Active","provider":{"certManager":{"issuerRef":{"name":"a"}}}}}`,
			[]string{"spec.provider", "is tresor and can't become certManager"}},
		"another secret": {activeRoot, strings.Replace(activeRoot, `"a"`, `"b"`, 1), nil},
		"what is wrong already, left alone": {`{"spec":{"role":"Active","provider":{}}}`,
			`{"metadata":{"name":"mine","finalizers":[]},"spec":{"role":"Active","provider":{}}}`, nil},
		"what is wrong already, changed": {`{"spec":{"role":"Active","provider":{}}}`, `{"spec":{"role":"Passive","provider":{}}}`, []string{"spec.provider"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, validate(t, webhook.ValidatorOptions{}, validationOf(admissionv1.Update, "v1", "MeshRootCertificate", test.new, test.old)), test.want)
		})
	}
}
