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
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/check"
	"github.com/osm-edge/osm/test/mesh"
)

// fault is something that is wrong with a mesh, and what is to be found then.
type fault struct {
	name                  string
	check                 string
	severity              check.Severity
	object, problem, mend string
	plant                 func(*patient) (mend func())
}

var faults = []fault{
	{"a component is scaled to nothing", "control-plane", check.Error, "Deployment osm-system/osm-injector", "scaled to no replica", "kubectl scale deployment/osm-injector",
		func(p *patient) func() { return p.away("osm-injector") }},
	{"components are of different versions", "control-plane", check.Error, "Namespace osm-system", "osm-injector is 0.0.1", "osm upgrade",
		func(p *patient) func() {
			label := func(version string) {
				p.patch(types.MergePatchType, deployments, mesh.Namespace, "osm-injector", `{"metadata":{"labels":{"app.kubernetes.io/version":"%s"}}}`, version)
			}
			label("0.0.1")
			return func() { label("0.1.0") }
		}},
	{"a right was taken away", "permissions", check.Error, "ServiceAccount osm-system/osm-injector", "create events", "osm upgrade", plantRights},
	{"a version of a definition is not served", "definitions", check.Error, "meshrootcertificates", "v1alpha2 is not served", "kubectl rollout restart deployment/osm-bootstrap",
		func(p *patient) func() {
			back := p.away("osm-bootstrap")
			p.patch(types.JSONPatchType, definitions, "", "meshrootcertificates.config.openservicemesh.io",
				`[{"op":"replace","path":"/spec/versions/%d/served","value":false}]`, p.version("v1alpha2"))
			return back
		}},
	{"the settings are invalid", "configuration", check.Error, "MeshConfig", "a b", "kubectl edit meshconfig", plantSettings},
	{"the validating webhook is gone", "webhooks", check.Error, "osm-validator-mesh-osm", "does not exist", "osm upgrade",
		func(p *patient) func() { return p.without(validators, "", "osm-validator-mesh-osm") }},
	{"the mutating webhook is gone", "webhooks", check.Error, "osm-webhook-osm", "new pods get no sidecar", "osm upgrade",
		func(p *patient) func() { return p.without(mutators, "", "osm-webhook-osm") }},
	{"the webhook lets pods pass when it fails", "webhooks", check.Error, "osm-webhook-osm", "failurePolicy is not Fail", "osm upgrade",
		func(p *patient) func() { return p.webhook("/failurePolicy", "Ignore", "Fail") }},
	{"the webhook has another path", "webhooks", check.Error, "osm-webhook-osm", "/elsewhere, not", "osm upgrade",
		func(p *patient) func() {
			return p.webhook("/clientConfig/service/path", "/elsewhere", "/mutate-pod-creation")
		}},
	{"a caBundle is another's", "webhooks", check.Error, "osm-webhook-osm", "does not verify what osm-injector serves", "kubectl rollout restart deployment/osm-bootstrap",
		func(p *patient) func() {
			back := p.away("osm-bootstrap")
			p.webhook("/clientConfig/caBundle", newPair(p.t, nil).cert, nil)
			return back
		}},
	{"a serving certificate has expired", "webhooks", check.Error, "Secret osm-system/osm-injector-tls", "expired at", "kubectl delete secret -n osm-system osm-injector-tls", plantExpired},
	{"a serving certificate is gone", "webhooks", check.Error, "Secret osm-system/osm-validator-tls", "does not exist", "kubectl rollout restart deployment/osm-bootstrap",
		func(p *patient) func() {
			back := p.away("osm-bootstrap")
			deleteSecret(p.t, p.client, "osm-validator-tls")
			return back
		}},
	{"the root's key is malformed", "root", check.Error, "Secret osm-system/osm-ca-bundle", `key "private.key"`, "put the PEM private key of ca.crt there",
		func(p *patient) func() { return p.secret("private.key", []byte("garbage")) }},
	{"the root's key is that of another root", "root", check.Error, "Secret osm-system/osm-ca-bundle", "key of another certificate", "put the PEM private key of ca.crt there",
		func(p *patient) func() { return p.secret("private.key", newPair(p.t, nil).key) }},
	{"the root's Secret is gone", "root", check.Error, "Secret osm-system/osm-ca-bundle", "does not exist", "kubectl rollout restart deployment/osm-bootstrap",
		func(p *patient) func() {
			back, put := p.away("osm-bootstrap"), p.without(secrets, mesh.Namespace, rootSecret)
			return func() { put(); back() }
		}},
	{"Vault is not there", "root", check.Error, "MeshRootCertificate osm-system/planted", "", "see that Vault answers at https://127.0.0.1:1",
		func(p *patient) func() {
			return p.root(`{"vault":{"address":"https://127.0.0.1:1","role":"osm","auth":{"tokenSecretRef":{"name":"token","key":"token"}}}}`)
		}},
	{"Vault is asked over http", "root", check.Warning, "MeshRootCertificate osm-system/planted", "asked over http at http://127.0.0.1:1", "have spec.provider.vault.address begin with https",
		func(p *patient) func() {
			return p.root(`{"vault":{"address":"http://127.0.0.1:1","role":"osm","auth":{"tokenSecretRef":{"name":"token","key":"token"}}}}`)
		}},
	{"cert-manager is not there", "root", check.Error, "MeshRootCertificate osm-system/planted", "", "kubectl describe Issuer.cert-manager.io",
		func(p *patient) func() { return p.root(`{"certManager":{"issuerRef":{"name":"osm-ca"}}}`) }},
	{"a namespace trusts what somebody else put there", "trust", check.Error, "ConfigMap books/osm-trust-bundle", "somebody else made it", "kubectl delete configmap -n books osm-trust-bundle",
		func(p *patient) func() {
			p.patch(types.MergePatchType, configMaps, "books", "osm-trust-bundle", `{"metadata":{"labels":null},"data":{"ca.crt":"%s"}}`, "tampered")
			return func() { p.drop(configMaps, "books", "osm-trust-bundle") }
		}},
	{"a firewall is before the injector", "reachability", check.Error, "Service osm-system/osm-injector", "deadline exceeded", "port 9090 of the nodes",
		func(p *patient) func() { return p.silent("osm-injector", "osm-injector", 9090) }},
	{"a firewall is before the validator", "reachability", check.Error, "Service osm-system/osm-validator", "a firewall or a network policy", "port 9093 of the nodes",
		func(p *patient) func() { return p.silent("osm-controller", "osm-validator", 9093) }},
	{"a firewall is before the converter", "reachability", check.Error, "Service osm-system/osm-bootstrap", "a firewall or a network policy", "port 9443 of the nodes",
		func(p *patient) func() { return p.silent("osm-bootstrap", "osm-bootstrap", 9443) }},
	{"nothing serves the injector's webhook", "reachability", check.Error, "Service osm-system/osm-injector", "no replica is ready", "kubectl get pods -n osm-system -l app=osm-injector",
		func(p *patient) func() { return p.away("osm-injector") }},
	{"the API server goes on without the injector", "reachability", check.Error, "Service osm-system/osm-injector", "went on without it, for a pod in namespace books", "osm upgrade, and osm check again",
		func(p *patient) func() {
			right, back := p.webhook("/failurePolicy", "Ignore", "Fail"), p.away("osm-injector")
			return func() { back(); right() }
		}},
	{"the API server goes on without the validator", "reachability", check.Error, "Service osm-system/osm-validator", "went on without it, for a MeshConfig with a mistake", "osm upgrade",
		func(p *patient) func() {
			set := func(policy string) {
				p.patch(types.JSONPatchType, validators, "", "osm-validator-mesh-osm", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"%s"}]`, policy)
			}
			set("Ignore")
			back := p.silent("osm-controller", "osm-validator", 9093)
			return func() { back(); set("Fail") }
		}},
	{"the API server does not accept the injector's certificate", "reachability", check.Error, "Service osm-system/osm-injector", "x509: ", "kubectl rollout restart deployment/osm-bootstrap",
		func(p *patient) func() {
			back := p.away("osm-bootstrap")
			p.webhook("/clientConfig/caBundle", newPair(p.t, nil).cert, nil)
			return back
		}},
	{"the clock is wrong", "clocks", check.Error, "API server", "ahead of that of this machine", "NTP", plantClock},
	{"a namespace is of a mesh that is not there", "namespaces", check.Warning, "Namespace default", `mesh "osn"`, "osm namespace add default",
		func(p *patient) func() { return p.label("default", "labels", monitored, "osn") }},
	{"a namespace says something that is no answer", "namespaces", check.Error, "Namespace books", `"maybe"`, "kubectl annotate --overwrite namespace books",
		func(p *patient) func() { return p.label("books", "annotations", injection, "maybe") }},
	{"osm-edge has left keys", "namespaces", check.Warning, "Namespace books", "sidecar-bootstrap-config-1", "kubectl delete secret -n books sidecar-bootstrap-config-1",
		func(p *patient) func() {
			p.create(secrets, "books", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"sidecar-bootstrap-config-1","labels":{"app.kubernetes.io/name":"openservicemesh.io"}}}`)
			return func() { p.drop(secrets, "books", "sidecar-bootstrap-config-1") }
		}},
	{"pods were there before the mesh", "pods", check.Warning, "Namespace outside", "1 pod without a sidecar", "kubectl rollout restart -n outside deployment/plain",
		func(p *patient) func() {
			deployPlain(p.t, p.client)
			p.label("outside", "labels", monitored, mesh.Name)
			return func() {
				if err := mesh.Restart(within(p.t, time.Minute), p.client, "outside", "plain"); err != nil {
					p.t.Fatal(err)
				}
			}
		}},
	{"a sidecar does not work", "pods", check.Error, "Namespace books", "broken", "kubectl logs -n books broken -c sidecar", plantSidecar},
	{"a port is HTTP, and nothing says so", "ports", check.Warning, "Deployment books/bookbuyer", "port 8080 is HTTP, but its sidecar was not told so: Service bookbuyer has it as port 80", `http-port-list: "8080"`,
		func(p *patient) func() {
			p.create(services, "books", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"bookbuyer"},"spec":{"selector":{"app":"bookbuyer"},"ports":[{"port":80,"targetPort":8080}]}}`)
			return func() {
				p.patch(types.JSONPatchType, services, "books", "bookbuyer", `[{"op":"add","path":"/spec/ports/0/appProtocol","value":"http"}]`)
			}
		}},
	{"a pod does not take in the new root", "rotation", check.Warning, "MeshRootCertificate", "books/bookbuyer", "osm ca show",
		func(p *patient) func() {
			deleteSecret(p.t, p.client, rootSecret)
			return func() { removeWorkloads(p.t, p.client) }
		}},
}

var (
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	secrets      = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	services     = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	configMaps   = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces   = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	mutators     = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	validators   = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	definitions  = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	rootsOfMesh  = schema.GroupVersionResource{Group: "config.openservicemesh.io", Version: "v1", Resource: "meshrootcertificates"}
	meshSettings = schema.GroupVersionResource{Group: "config.openservicemesh.io", Version: "v1", Resource: "meshconfigs"}
)

// patch changes an object, as soon as the API server lets it.
func (p *patient) patch(kind types.PatchType, of schema.GroupVersionResource, namespace, name, patch string, args ...any) {
	p.t.Helper()
	var last error
	eventually(p.t, "the change of "+name, func(ctx context.Context) (bool, error) {
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
		eventually(p.t, component, func(ctx context.Context) (bool, error) {
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
	if err := mesh.Restart(within(p.t, time.Minute), p.client, mesh.Namespace, component); err != nil {
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
	set := func(change func(*rbacv1.ClusterRole)) {
		role, err := roles.Get(p.t.Context(), "osm-injector-osm", metav1.GetOptions{})
		if err != nil {
			p.t.Fatal(err)
		}
		change(role)
		if _, err := roles.Update(p.t.Context(), role, metav1.UpdateOptions{}); err != nil {
			p.t.Fatal(err)
		}
	}
	var before []rbacv1.PolicyRule
	set(func(role *rbacv1.ClusterRole) { before, role.Rules = role.Rules, role.Rules[:1] })
	return func() { set(func(role *rbacv1.ClusterRole) { role.Rules = before }) }
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
	back := p.away("osm-bootstrap")
	secret := getSecret(p.t, p.client, "osm-injector-tls")
	expired := newPair(p.t, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"osm-injector.osm-system.svc"}, time.Now().Add(-time.Hour)
	})
	secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = expired.cert, expired.key
	if _, err := p.client.CoreV1().Secrets(mesh.Namespace).Update(p.t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return back
}

// plantSidecar has a pod whose sidecar never became ready. No node runs it.
func plantSidecar(p *patient) func() {
	pods := p.client.CoreV1().Pods("books")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Spec: corev1.PodSpec{
		SchedulerName: "nobody", Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}},
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
