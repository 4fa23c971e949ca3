package vault_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// kubectl stands in for kubectl: it keeps what it is told.
const kubectl = `#!/bin/sh
echo "$*" >>"$KEPT/arguments"
case "$*" in
*"-f -") cat >>"$KEPT/objects"; echo --- >>"$KEPT/objects" ;;
*"vault read -field=certificate pki/cert/ca") echo the-root ;;
exec*) cat >"$KEPT/script" ;;
esac
`

func TestTheDemosVaultIsDeployedWithoutTellingItsToken(t *testing.T) {
	const token = "s.kept-to-itself"
	kept := t.TempDir()
	if err := os.WriteFile(filepath.Join(kept, "kubectl"), []byte(kubectl), 0o700); err != nil {
		t.Fatal(err)
	}
	deploy := exec.CommandContext(t.Context(), script(t))
	deploy.Env = append(os.Environ(), "PATH="+kept+":"+os.Getenv("PATH"), "KEPT="+kept, "K8S_NAMESPACE=osm-system-ns", "VAULT_TOKEN="+token)
	output, err := deploy.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	arguments, setup := read(t, kept, "arguments"), read(t, kept, "script")
	for where, text := range map[string]string{"the output": string(output), "arguments": arguments, "the script": setup} {
		if strings.Contains(text, token) {
			t.Errorf("the token is in %s", where)
		}
	}
	checkObjects(t, strings.Split(read(t, kept, "objects"), "---\n"), token)
	for _, setting := range []string{
		"max-lease-ttl=87600h", "common_name=osm.root", "pki/roles/openservicemesh", "allow_any_name=true", "allow_subdomains=true",
		"allow_bare_domains=true", "allow_localhost=true", "allowed_uri_sans='spiffe://*'", "key_type=any", "max_ttl=24h",
		"key_type=any not_before_duration=5m", "key_bits=256 not_before_duration=5m",
	} {
		if !strings.Contains(setup, setting) {
			t.Errorf("the script does not set %s", setting)
		}
	}
	check := exec.CommandContext(t.Context(), "sh", "-n", filepath.Join(kept, "script"))
	if output, err := check.CombinedOutput(); err != nil {
		t.Errorf("the script is not one: %v\n%s", err, output)
	}
}

func TestTheDemosVaultNeedsANamespaceAndAToken(t *testing.T) {
	for missing, has := range map[string]string{"K8S_NAMESPACE": "VAULT_TOKEN=xyz", "VAULT_TOKEN": "K8S_NAMESPACE=osm-system"} {
		deploy := exec.CommandContext(t.Context(), script(t))
		deploy.Env = []string{"PATH=" + os.Getenv("PATH"), has}
		output, err := deploy.CombinedOutput()
		if err == nil || !strings.Contains(string(output), missing) {
			t.Errorf("without %s: %v\n%s", missing, err, output)
		}
	}
}

// script is looked at here, so that go test knows what the result depends on.
func script(t *testing.T) string {
	t.Helper()
	const path = "../../demo/deploy-vault.sh"
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func checkObjects(t *testing.T, objects []string, token string) {
	t.Helper()
	var secret, root corev1.Secret
	var deployment appsv1.Deployment
	var service corev1.Service
	if len(objects) != 5 || objects[4] != "" {
		t.Fatalf("%d objects: %q", len(objects), objects)
	}
	for i, object := range []any{&secret, &deployment, &service, &root} {
		if err := yaml.UnmarshalStrict([]byte(objects[i]), object); err != nil {
			t.Errorf("object %d: %v\n%s", i, err, objects[i])
		}
	}
	if string(secret.Data["token"]) != token {
		t.Error("the Secret does not hold the token")
	}
	if got := secret.Annotations["openservicemesh.io/vault-address"]; got != "http://vault.osm-system-ns.svc.cluster.local:8200" {
		t.Errorf("the token may be sent to %q", got)
	}
	if root.Name != "vault-root" || string(root.Data["ca.crt"]) != "the-root\n" {
		t.Errorf("secret %s holds the root %q", root.Name, root.Data["ca.crt"])
	}
	if deployment.Namespace != "osm-system-ns" || service.Name != "vault" {
		t.Errorf("deployed to %s, known as %s", deployment.Namespace, service.Name)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
