package cluster_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
)

// TestAClusterOfKUBECONFIGIsUsedIfItIsForTests has the cluster of all tests here be the one that KUBECONFIG names.
func TestAClusterOfKUBECONFIGIsUsedIfItIsForTests(t *testing.T) {
	space := newSpace(t)
	c, client := space.cluster, space.client
	t.Setenv("KUBECONFIG", c.Kubeconfig())
	createNamespace(t, client, cluster.ConsentNamespace)
	s, err := cluster.Connect(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if s.Config().Host != c.Config().Host || s.Kubeconfig() != c.Kubeconfig() {
		t.Errorf("the server is %s of %s, want that of KUBECONFIG", s.Config().Host, s.Kubeconfig())
	}
	createNamespace(t, client, "of-a-test")
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "of-a-test"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), "of-a-test", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace of the test: %v", err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Get(t.Context(), "of-a-test", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the ClusterRoleBinding of the test: %v", err)
	}
	if _, err := client.CoreV1().Namespaces().Get(t.Context(), cluster.ConsentNamespace, metav1.GetOptions{}); err != nil {
		t.Errorf("what was there before: %v", err)
	}
}

func TestAKUBECONFIGThatCannotBeUsedIsNamed(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere/config")
	if _, err := cluster.Connect(t.Context(), t.Output()); err == nil || !strings.Contains(err.Error(), "KUBECONFIG=/nowhere/config") {
		t.Errorf("error %v", err)
	}
}

func createNamespace(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
