package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestTheRootStaysIfItsNamespaceDoes(t *testing.T) {
	o := &uninstallOptions{cluster: &cluster{meshNamespace: "osm-system"}}
	client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}})
	if said, err := o.whatStays(t.Context(), client); err != nil || !strings.HasPrefix(said, "The root, the MeshConfig") {
		t.Errorf("with the namespace: %q, %v", said, err)
	}
	if said, err := o.whatStays(t.Context(), fake.NewClientset()); err != nil || !strings.HasPrefix(said, "The root is gone") {
		t.Errorf("without it: %q, %v", said, err)
	}
}
