//go:build cli

package integration

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// patch changes an object, as soon as the API server lets it.
func (p *patient) patch(kind types.PatchType, of schema.GroupVersionResource, namespace, name, patch string, args ...any) {
	p.t.Helper()
	var last error
	testkit.Condition(p.t, "the change of "+name, func(ctx context.Context) (bool, error) {
		_, last = p.own.Resource(of).Namespace(namespace).Patch(ctx, name, kind, fmt.Appendf(nil, patch, args...), metav1.PatchOptions{})
		if last != nil {
			p.t.Log(last)
		}
		return last == nil, nil
	})
}

func (p *patient) create(of schema.GroupVersionResource, namespace, object string) {
	p.t.Helper()
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(object), &u.Object); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.own.Resource(of).Namespace(namespace).Create(p.t.Context(), u, metav1.CreateOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) drop(of schema.GroupVersionResource, namespace, name string) {
	p.t.Helper()
	if err := p.own.Resource(of).Namespace(namespace).Delete(p.t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		p.t.Fatal(err)
	}
}

// without deletes an object, until it is put back.
func (p *patient) without(of schema.GroupVersionResource, namespace, name string) func() {
	p.t.Helper()
	object, err := p.own.Resource(of).Namespace(namespace).Get(p.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.drop(of, namespace, name)
	return func() {
		object.SetResourceVersion("")
		object.SetUID("")
		if _, err := p.own.Resource(of).Namespace(namespace).Create(p.t.Context(), object, metav1.CreateOptions{}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// away scales a component to nothing, until it is to come back.
func (p *patient) away(component string) func() {
	scale := func(replicas int) {
		p.patch(types.MergePatchType, deployments, mesh.Namespace, component, `{"spec":{"replicas":%d}}`, replicas)
		testkit.Condition(p.t, component, func(ctx context.Context) (bool, error) {
			pods, err := p.client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + component})
			return err == nil && len(pods.Items) == replicas, err
		})
	}
	scale(0)
	return func() { scale(1) }
}

// webhook sets a field of the mutating webhook.
func (p *patient) webhook(field string, wrong, right any) func() {
	set := func(value any) {
		text, err := json.Marshal(value)
		if err != nil {
			p.t.Fatal(err)
		}
		p.patch(types.JSONPatchType, mutators, "", "osm-webhook-osm", `[{"op":"replace","path":"/webhooks/0%s","value":%s}]`, field, text)
	}
	set(wrong)
	return func() { set(right) }
}

// secret changes a key of the root's Secret.
func (p *patient) secret(key string, value []byte) func() {
	before := getSecret(p.t, p.client, rootSecret)
	set := func(data map[string][]byte) {
		text, err := json.Marshal(map[string]any{"data": data})
		if err != nil {
			p.t.Fatal(err)
		}
		p.patch(types.MergePatchType, secrets, mesh.Namespace, rootSecret, "%s", text)
	}
	wrong := maps.Clone(before.Data)
	wrong[key] = value
	set(wrong)
	return func() { set(before.Data) }
}

// root adds one that is trusted only, of a provider.
func (p *patient) root(provider string) func() {
	p.create(rootsOfMesh, mesh.Namespace,
		`{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshRootCertificate","metadata":{"name":"planted"},"spec":{"role":"Passive","provider":`+provider+`}}`)
	return func() { p.drop(rootsOfMesh, mesh.Namespace, "planted") }
}

// vaultToken makes a Secret with a token for the Vault of this address.
func (p *patient) vaultToken(address string) func() {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "token", Annotations: map[string]string{v1.AnnotationVaultAddress: address}},
		Data:       map[string][]byte{"token": []byte("a-token")},
	}
	if _, err := p.client.CoreV1().Secrets(mesh.Namespace).Create(p.t.Context(), secret, metav1.CreateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return func() { deleteSecret(p.t, p.client, secret.Name) }
}

// silent has what is sent to a Service of a component go where nothing answers, as
// behind a firewall. Connections that are there end with the component's pods.
func (p *patient) silent(component, service string, port int) func() {
	listener, err := new(net.ListenConfig).Listen(p.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	name := mesh.Namespace + "/" + service
	back := func() { p.cluster.Serve(name, port) }
	p.t.Cleanup(back) // of a test that fails
	p.cluster.Serve(name, port, listener.Addr().String())
	if err := mesh.Restart(testkit.Context(p.t, time.Minute), p.client, mesh.Namespace, component); err != nil {
		p.t.Fatal(err)
	}
	return func() {
		back()
		if err := listener.Close(); err != nil {
			p.t.Error(err)
		}
	}
}

func (p *patient) label(namespace, kind, key, value string) func() {
	p.patch(types.MergePatchType, namespaces, "", namespace, `{"metadata":{"%s":{"%s":"%s"}}}`, kind, key, value)
	return func() {
		p.patch(types.MergePatchType, namespaces, "", namespace, `{"metadata":{"%s":{"%s":null}}}`, kind, key)
	}
}

// version returns the index of a version of a definition.
func (p *patient) version(name string) int {
	crd, err := p.own.Resource(definitions).Get(p.t.Context(), "meshrootcertificates.config.openservicemesh.io", metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for i, version := range versions {
		if version.(map[string]any)["name"] == name {
			return i
		}
	}
	p.t.Fatalf("there is no version %s", name)
	return 0
}

func plantRights(p *patient) func() {
	roles := p.client.RbacV1().ClusterRoles()
	role, err := roles.Get(p.t.Context(), "osm-injector-osm", metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	role.Rules = role.Rules[:1]
	if _, err := roles.Update(p.t.Context(), role, metav1.UpdateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return byHint
}

// plantConstrained has osm-injector's webhook be trusted by a root that forbids
// its name. osm-bootstrap refuses that root, and goes no further.
func plantConstrained(p *patient) func() {
	forbids := newPair(p.t, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local"} })
	data, err := json.Marshal(map[string]any{"data": map[string]any{"ca.crt": forbids.cert, "private.key": forbids.key, "expiration": nil}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.patch(types.MergePatchType, secrets, mesh.Namespace, rootSecret, "%s", data)
	p.webhook("/clientConfig/caBundle", forbids.cert, nil)
	return byHint
}

// plantSettings stores what the webhook would refuse, as a release before could.
func plantSettings(p *patient) func() {
	back := p.without(validators, "", "osm-validator-mesh-osm")
	before, err := p.own.Resource(meshSettings).Namespace(mesh.Namespace).Get(p.t.Context(), "osm-mesh-config", metav1.GetOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	spec, err := json.Marshal(map[string]any{"spec": before.Object["spec"]})
	if err != nil {
		p.t.Fatal(err)
	}
	set := func(patch string) {
		p.patch(types.MergePatchType, meshSettings, mesh.Namespace, "osm-mesh-config", "%s", patch)
	}
	set(`{"spec":{"sidecar":{"image":"a b"}}}`)
	back()
	return func() { set(`{"spec":{"sidecar":{"image":null}}}`); set(string(spec)) }
}

// plantExpired has a server's Secret hold a certificate that has expired.
func plantExpired(p *patient) func() {
	p.away("osm-bootstrap")
	secret := getSecret(p.t, p.client, "osm-injector-tls")
	expired := newPair(p.t, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"osm-injector.osm-system.svc"}, time.Now().Add(-time.Hour)
	})
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = expired.cert, expired.key
	if _, err := p.client.CoreV1().Secrets(mesh.Namespace).Update(p.t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return byHint
}

// plantSidecar has a pod whose sidecar never became ready. No node runs it.
func plantSidecar(p *patient) func() {
	pods := p.client.CoreV1().Pods("books")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Spec: corev1.PodSpec{
		SchedulerName: "none", Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}},
	}}
	pod, err := pods.Create(p.t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	started := metav1.NewTime(time.Now().Add(-time.Hour))
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &started
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "sidecar"}}
	if _, err := pods.UpdateStatus(p.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return func() {
		if err := pods.Delete(p.t.Context(), "broken", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
			p.t.Fatal(err)
		}
	}
}
