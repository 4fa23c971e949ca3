package render

import (
	"encoding/base64"
	"maps"
	"reflect"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// preset returns the objects that osm-bootstrap creates for these values.
func preset(t *testing.T, values map[string]any) (*v1.MeshConfig, *v1.MeshRootCertificate) {
	t.Helper()
	cm := find[corev1.ConfigMap](t, mustRender(t, Options{Namespace: "osm-system", Values: osm(values)}), "ConfigMap", "osm-preset")
	config, root := &v1.MeshConfig{}, &v1.MeshRootCertificate{}
	for key, object := range map[string]any{"mesh-config.yaml": config, "mesh-root-certificate.yaml": root} {
		if err := yaml.UnmarshalStrict([]byte(cm.Data[key]), object); err != nil {
			t.Fatalf("%s: %v\n%s", key, err, cm.Data[key])
		}
	}
	if len(cm.Data) != 2 || config.Name != "osm-mesh-config" || root.Name != "osm-mesh-root-certificate" {
		t.Fatalf("the preset is %v", cm.Data)
	}
	return config, root
}

// vault are the values of a mesh that Vault signs for, beside these.
func vault(more map[string]any) map[string]any {
	values := map[string]any{"host": "vault.vault.svc"}
	maps.Copy(values, more)
	return map[string]any{"certificateProvider": map[string]any{"kind": "vault"}, "vault": values}
}

func TestTheFirstMeshConfigIsWhatTheValuesSay(t *testing.T) {
	config, _ := preset(t, map[string]any{
		"serviceCertValidityDuration":   "1h30m",
		"certificateProvider":           map[string]any{"certKeyBitSize": 4096.0},
		"controllerLogLevel":            "debug",
		"sidecarLogLevel":               "error",
		"sidecarResources":              map[string]any{"limits": map[string]any{"cpu": 0.5, "memory": "64Mi"}},
		"enablePrivilegedInitContainer": true,
		"inboundPortExclusionList":      []any{80.0, 443, 443},
		"outboundPortExclusionList":     nil,
		"outboundIPRangeExclusionList":  []any{"1.1.1.1/32", "fd00::/8"},
		"outboundIPRangeInclusionList":  []any{"10.0.0.0/8"},
		"networkInterfaceExclusionList": []any{"net1", "a\"'\\<"},
	})
	want := v1.MeshConfigSpec{
		Certificate: v1.Certificate{ServiceCertValidityDuration: "1h30m", KeyAlgorithm: "rsa-4096"},
		Sidecar: v1.Sidecar{
			LogLevel: "error", PrivilegedInitContainer: new(true),
			Resources: &v1.Resources{Limits: corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("64Mi")}},
		},
		Traffic: v1.Traffic{
			InboundPortExclusions:      []v1.Port{80, 443},
			OutboundIPRangeExclusions:  []v1.IPRange{"1.1.1.1/32", "fd00::/8"},
			OutboundIPRangeInclusions:  []v1.IPRange{"10.0.0.0/8"},
			NetworkInterfaceExclusions: []v1.NetworkInterface{"net1", `a"'\<`},
		},
		Observability: v1.Observability{LogLevel: "debug"},
	}
	if !apiequality.Semantic.DeepEqual(config.Spec, want) {
		t.Errorf("it is\n%+v\nwant\n%+v", config.Spec, want)
	}
}

func TestTheFirstRootIsOfTheKindThatTheValuesSay(t *testing.T) {
	const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	token := func(name, key string) v1.VaultAuth {
		return v1.VaultAuth{TokenSecretRef: &v1.SecretKeyReference{Name: name, Key: key}}
	}
	tests := map[string]struct {
		values map[string]any
		want   v1.Provider
	}{
		"tresor":                {map[string]any{}, v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "osm-ca-bundle"}}}},
		"tresor of a secret":    {map[string]any{"caBundleSecretName": "123"}, v1.Provider{Tresor: &v1.Tresor{SecretRef: v1.SecretReference{Name: "123"}}}},
		"Vault by a token":      {vault(map[string]any{"token": "root"}), v1.Provider{Vault: &v1.Vault{Address: "https://vault.vault.svc:8200", Mount: "pki", Role: "openservicemesh", Auth: token("osm-vault-token", "token")}}},
		"Vault by a Secret":     {vault(map[string]any{"secret": map[string]any{"name": "s", "key": "k"}, "protocol": "https", "port": 443.0}), v1.Provider{Vault: &v1.Vault{Address: "https://vault.vault.svc:443", Mount: "pki", Role: "openservicemesh", Auth: token("s", "k")}}},
		"Vault by Kubernetes":   {vault(map[string]any{"kubernetesAuth": map[string]any{"role": "osm"}, "mount": "pki/mesh", "role": "r"}), v1.Provider{Vault: &v1.Vault{Address: "https://vault.vault.svc:8200", Mount: "pki/mesh", Role: "r", Auth: v1.VaultAuth{Kubernetes: &v1.VaultKubernetesAuth{Role: "osm", MountPath: "kubernetes"}}}}},
		"Vault of its own CA":   {vault(map[string]any{"token": "t", "caBundle": pem, "host": "[fd00::1]"}), v1.Provider{Vault: &v1.Vault{Address: "https://[fd00::1]:8200", Mount: "pki", Role: "openservicemesh", CABundle: []byte(pem), Auth: token("osm-vault-token", "token")}}},
		"Vault by VAULT_ADDR":   {vault(map[string]any{"token": "t", "host": "HTTPS://vault.corp:8200/", "mount": "team@x/pki"}), v1.Provider{Vault: &v1.Vault{Address: "https://vault.corp:8200", Mount: "team@x/pki", Role: "openservicemesh", Auth: token("osm-vault-token", "token")}}},
		"Vault at a host, port": {vault(map[string]any{"token": "t", "host": "vault:8200", "mount": "-pki"}), v1.Provider{Vault: &v1.Vault{Address: "https://vault:8200", Mount: "-pki", Role: "openservicemesh", Auth: token("osm-vault-token", "token")}}},
		"Vault behind a path":   {vault(map[string]any{"token": "t", "host": "proxy.corp/team/vault"}), v1.Provider{Vault: &v1.Vault{Address: "https://proxy.corp:8200/team/vault", Mount: "pki", Role: "openservicemesh", Auth: token("osm-vault-token", "token")}}},
		"Vault at bare IPv6":    {vault(map[string]any{"token": "t", "host": "fd00::1"}), v1.Provider{Vault: &v1.Vault{Address: "https://[fd00::1]:8200", Mount: "pki", Role: "openservicemesh", Auth: token("osm-vault-token", "token")}}},
		"Vault without TLS":     {vault(map[string]any{"token": "t", "protocol": "http", "rootsSecret": "roots"}), v1.Provider{Vault: &v1.Vault{Address: "http://vault.vault.svc:8200", Mount: "pki", Role: "openservicemesh", RootsSecretRef: &v1.SecretReference{Name: "roots"}, Auth: token("osm-vault-token", "token")}}},
		"cert-manager":          {map[string]any{"certificateProvider": map[string]any{"kind": "cert-manager"}}, v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "osm-ca", Kind: "Issuer", Group: "cert-manager.io"}}}},
		"cert-manager's others": {map[string]any{"certificateProvider": map[string]any{"kind": "cert-manager"}, "certmanager": map[string]any{"issuerName": "i", "issuerKind": "ClusterIssuer", "issuerGroup": "g.example"}}, v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "i", Kind: "ClusterIssuer", Group: "g.example"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, root := preset(t, test.values)
			if want := (v1.MeshRootCertificateSpec{TrustDomain: "cluster.local", Role: v1.Active, Provider: test.want}); !reflect.DeepEqual(root.Spec, want) {
				t.Errorf("it is %+v, want %+v", root.Spec, want)
			}
		})
	}
}

func TestATokenOfVaultIsInASecretAndNowhereElse(t *testing.T) {
	const token = "hvs.secret"
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(vault(map[string]any{"token": token}))})
	if got := find[corev1.Secret](t, objects, "Secret", "osm-vault-token").Data["token"]; string(got) != token {
		t.Errorf("the token is %q", got)
	}
	for _, object := range objects {
		text := string(encode(t, []*unstructured.Unstructured{object}))
		if strings.Contains(text, token) || object.GetKind() != "Secret" && strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(token))) {
			t.Errorf("%s %s shows the token", object.GetKind(), object.GetName())
		}
	}
	for name, values := range map[string]map[string]any{"without a token": vault(map[string]any{"kubernetesAuth": map[string]any{"role": "osm"}}), "for tresor": {"vault": map[string]any{"token": token}}} {
		if n := len(ofKind(mustRender(t, Options{Namespace: "osm-system", Values: osm(values)}), "Secret")); n != 0 {
			t.Errorf("%s there are %d Secrets", name, n)
		}
	}
}

func TestAnAuthorityThatIsNotWhollySaidIsRefused(t *testing.T) {
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"Vault without a host":         {vault(map[string]any{"host": "", "token": "t"}), "osm.vault.host is required"},
		"Vault without a login":        {vault(nil), "osm.vault: 0 of token, secret.name with secret.key, and kubernetesAuth.role are set: set exactly one"},
		"Vault with two logins":        {vault(map[string]any{"token": "t", "kubernetesAuth": map[string]any{"role": "r"}}), "osm.vault: 2 of token"},
		"a Secret without a key":       {vault(map[string]any{"secret": map[string]any{"name": "s"}}), "osm.vault.secret: set both name and key"},
		"a key without a Secret":       {vault(map[string]any{"token": "t", "secret": map[string]any{"key": "k"}}), "osm.vault.secret: set both name and key"},
		"a host of another port":       {vault(map[string]any{"host": "https://vault", "token": "t"}), "set osm.vault.protocol=https, osm.vault.host=vault and osm.vault.port=443"},
		"a host of another protocol":   {vault(map[string]any{"host": "http://[fd00::1]:8201/x/", "token": "t"}), "set osm.vault.protocol=http, osm.vault.host=[fd00::1]/x and osm.vault.port=8201"},
		"a host with the API's path":   {vault(map[string]any{"host": "https://vault:8200/v1", "token": "t"}), "set osm.vault.protocol=https, osm.vault.host=vault and osm.vault.port=8200"},
		"an IPv6 address and a port":   {vault(map[string]any{"host": "fd00::1:8200", "token": "t"}), "set osm.vault.host=[fd00::1] or osm.vault.host=[fd00::1:8200]"},
		"a host that is a socket":      {vault(map[string]any{"host": "unix://vault", "protocol": "https", "token": "t"}), "osm.vault.host"},
		"a host with a password":       {vault(map[string]any{"host": "https://me:secret@vault", "token": "t"}), "osm.vault.host is no host"},
		"a lifetime of no time":        {map[string]any{"certificateProvider": map[string]any{"serviceCertValidityDuration": "59.9s"}}, "from 1m to 87600h"},
		"a lifetime without end":       {map[string]any{"certificateProvider": map[string]any{"serviceCertValidityDuration": "87600h1ns"}}, "from 1m to 87600h"},
		"a lifetime beyond numbers":    {map[string]any{"certificateProvider": map[string]any{"serviceCertValidityDuration": "99999999999h"}}, "99999999999h"},
		"a deadline of no time":        {map[string]any{"certificateProvider": map[string]any{"rotationDeadline": "1s"}}, "osm.certificateProvider.rotationDeadline is 1s"},
		"a trust domain of dots":       {map[string]any{"trustDomain": "a..b"}, "/osm/trustDomain"},
		"a kind of no issuer":          {map[string]any{"certmanager": map[string]any{"issuerKind": "StepIssuer"}}, "/osm/certmanager"},
		"a role that is a path":        {vault(map[string]any{"role": "a/b", "token": "t"}), "/osm/vault/role"},
		"a key that climbs":            {vault(map[string]any{"secret": map[string]any{"name": "s", "key": ".."}}), "/osm/vault/secret/key"},
		"a port in words":              {vault(map[string]any{"port": "8200", "token": "t"}), "/osm/vault/port"},
		"another protocol":             {vault(map[string]any{"protocol": "tcp", "token": "t"}), "/osm/vault/protocol"},
		"a mount elsewhere":            {vault(map[string]any{"mount": "pki?x", "token": "t"}), "/osm/vault/mount"},
		"a CA that is none":            {vault(map[string]any{"caBundle": "ca.pem", "token": "t"}), "/osm/vault/caBundle"},
		"a token of two lines":         {vault(map[string]any{"token": "a\nb"}), "/osm/vault/token"},
		"a word that is misspelt":      {vault(map[string]any{"tokens": "t"}), "/osm/vault"},
		"an issuer's name in capitals": {map[string]any{"certmanager": map[string]any{"issuerName": "CA"}}, "/osm/certmanager/issuerName"},
		"an issuer's kind in small":    {map[string]any{"certmanager": map[string]any{"issuerKind": "issuer"}}, "/osm/certmanager/issuerKind"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Chart(Options{Namespace: "osm-system", Values: osm(test.values)}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %s", err, test.want)
			}
		})
	}
}

func TestTheKindsThatThereAreAreNamedWhenAnotherIsAskedFor(t *testing.T) {
	_, err := Chart(Options{Namespace: "osm-system", Values: osm(map[string]any{"certificateProvider": map[string]any{"kind": "letsencrypt"}})})
	for _, kind := range []string{"tresor", "vault", "cert-manager"} {
		if err == nil || !strings.Contains(err.Error(), kind) {
			t.Errorf("error %v does not name %s", err, kind)
		}
	}
}

func TestWhatOsmBootstrapCreatesIsNotValidated(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "mesh"})
	webhook := find[admissionregistrationv1.ValidatingWebhookConfiguration](t, objects, "ValidatingWebhookConfiguration", "osm-validator-mesh-osm").Webhooks[0]
	for _, condition := range webhook.MatchConditions {
		if condition.Name == "not-a-creation-by-osm-bootstrap" && strings.HasSuffix(condition.Expression, "request.userInfo.username != 'system:serviceaccount:mesh:osm-bootstrap'") {
			return
		}
	}
	t.Errorf("conditions %v", webhook.MatchConditions)
}
