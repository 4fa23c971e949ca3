package vault_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestAServiceAccountLogsInWithoutAnyToken(t *testing.T) {
	c, err := cluster.Connect(t.Context(), os.Stderr)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	server := startServer(t)
	client, err := kubernetes.NewForConfig(c.Config())
	must(t, err)
	jwt := serviceAccountToken(t, client)
	bindLogin(t, server, c.Config())

	file := filepath.Join(t.TempDir(), "token")
	var told logs
	login := func(role string) *vault.CA {
		return newCA(t, server, func(o *vault.Options) {
			o.Credentials = vault.Kubernetes{Role: role, TokenFile: file}
			o.Logger = told.logger()
		})
	}
	_, err = issue(t, login("osm"), time.Hour)
	wantError(t, err, []string{jwt}, "service account's token", "no such file")
	must(t, os.WriteFile(file, []byte(jwt), 0o600))
	_, err = issue(t, login("others"), time.Hour)
	wantError(t, err, []string{jwt}, "auth/kubernetes", "invalid role name")
	_, err = issue(t, login("elsewhere"), time.Hour)
	wantError(t, err, []string{jwt}, "auth/kubernetes", "must be bound to this service account")

	ca := login("osm")
	run(t, ca)
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); <-time.After(500 * time.Millisecond) {
		mustIssue(t, ca, time.Hour) // across logins, each good for three seconds
	}
	if strings.Contains(told.String(), jwt) {
		t.Error("the service account's token is logged")
	}
}

// serviceAccountToken is that of the default one, which is allowed to have
// itself reviewed.
func serviceAccountToken(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	_, err := client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "review"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:auth-delegator"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "default"}},
	}, metav1.CreateOptions{})
	must(t, err)
	var token *authenticationv1.TokenRequest
	testkit.Await(t, "it succeeds", func() (err error) {
		token, err = client.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		return err
	})
	return token.Status.Token
}

// bindLogin has Vault ask the cluster who logs in, and gives the default
// service account tokens of three seconds.
func bindLogin(t *testing.T, server *testvault.Server, config *rest.Config) {
	t.Helper()
	newToken(t, server, asCreated) // for its policy
	write := func(path string, data map[string]any) {
		_, err := server.Write(t.Context(), path, data)
		must(t, err)
	}
	authorities := config.CAData
	if len(authorities) == 0 {
		var err error
		authorities, err = os.ReadFile(config.CAFile)
		must(t, err)
	}
	write("sys/auth/kubernetes", map[string]any{"type": "kubernetes"})
	write("auth/kubernetes/config", map[string]any{
		"kubernetes_host": config.Host, "kubernetes_ca_cert": string(authorities), "disable_local_ca_jwt": true,
	})
	for role, namespace := range map[string]string{"osm": "default", "elsewhere": "osm-system"} {
		write("auth/kubernetes/role/"+role, map[string]any{
			"bound_service_account_names": "default", "bound_service_account_namespaces": namespace,
			"token_policies": "sign", "token_ttl": "3s", "token_max_ttl": "3s",
		})
	}
}
