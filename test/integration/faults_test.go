//go:build cli

package integration

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/mesh"
)

// fault is something that is wrong with a mesh, and what is to be found then.
type fault struct {
	name                 string
	check                string
	severity             string
	object, problem, fix string
	// plant returns the fix of what no command fixes: all, where the
	// hint only says what to look at.
	plant func(*patient) (byHand func())
}

// byHint does nothing: the command of the hint does all.
func byHint() {}

var faults = []fault{
	{"a component is scaled to nothing", "control-plane", "error", "Deployment osm-system/osm-injector", "scaled to no replica", "kubectl scale deployment/osm-injector",
		func(p *patient) func() { p.away("osm-injector"); return byHint }},
	{"components are of different versions", "control-plane", "error", "Namespace osm-system", "osm-injector is 0.0.1", "osm upgrade",
		func(p *patient) func() {
			label := func(version string) {
				p.patch(types.MergePatchType, deployments, mesh.Namespace, "osm-injector", `{"metadata":{"labels":{"app.kubernetes.io/version":"%s"}}}`, version)
			}
			label("0.0.1")
			return byHint
		}},
	{"a right was taken away", "permissions", "error", "ServiceAccount osm-system/osm-injector", "create events", "osm upgrade", plantRights},
	{"a version of a definition is not served", "definitions", "error", "meshrootcertificates", "v1alpha2 is not served", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() {
			p.away("osm-bootstrap")
			p.patch(types.JSONPatchType, definitions, "", "meshrootcertificates.config.openservicemesh.io",
				`[{"op":"replace","path":"/spec/versions/%d/served","value":false}]`, p.version("v1alpha2"))
			return byHint
		}},
	{"a definition is not converted", "webhooks", "error", "CustomResourceDefinition meshconfigs", "does not convert by the webhook", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() {
			p.away("osm-bootstrap")
			p.patch(types.MergePatchType, definitions, "", "meshconfigs.config.openservicemesh.io", `{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
			return byHint
		}},
	{"the settings are invalid", "configuration", "error", "MeshConfig", "a b", "kubectl edit meshconfig", plantSettings},
	{"the validating webhook is gone", "webhooks", "error", "osm-validator-mesh-osm", "does not exist", "osm upgrade",
		func(p *patient) func() { p.without(validators, "", "osm-validator-mesh-osm"); return byHint }},
	{"the mutating webhook is gone", "webhooks", "error", "osm-webhook-osm", "new pods get no sidecar", "osm upgrade",
		func(p *patient) func() { p.without(mutators, "", "osm-webhook-osm"); return byHint }},
	{"the webhook lets pods pass when it fails", "webhooks", "error", "osm-webhook-osm", "failurePolicy is not Fail", "osm upgrade",
		func(p *patient) func() { p.webhook("/failurePolicy", "Ignore", "Fail"); return byHint }},
	{"the webhook has another path", "webhooks", "error", "osm-webhook-osm", "/elsewhere, not", "osm upgrade",
		func(p *patient) func() {
			p.webhook("/clientConfig/service/path", "/elsewhere", "/mutate-pod-creation")
			return byHint
		}},
	{"a caBundle is another's", "webhooks", "error", "osm-webhook-osm", "does not verify what osm-injector serves", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() {
			p.away("osm-bootstrap")
			p.webhook("/clientConfig/caBundle", newPair(p.t, nil).cert, nil)
			return byHint
		}},
	{"a serving certificate has expired", "webhooks", "error", "Secret osm-system/osm-injector-tls", "expired at", "kubectl delete secret -n osm-system osm-injector-tls", plantExpired},
	{"a serving certificate is gone", "webhooks", "error", "Secret osm-system/osm-validator-tls", "does not exist", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() {
			p.away("osm-bootstrap")
			deleteSecret(p.t, p.client, "osm-validator-tls")
			return byHint
		}},
	{"a caBundle is another's, and osm-bootstrap may not sign with the root", "webhooks", "error", "osm-webhook-osm", "does not verify what osm-injector serves", "Secret osm-system/osm-ca-bundle first: put the PEM certificate of one root CA there", plantConstrained},
	{"no root is to sign", "root", "error", "Namespace osm-system", "no MeshRootCertificate of it is Active", "kubectl patch mrc -n osm-system osm-mesh-root-certificate",
		func(p *patient) func() {
			p.patch(types.MergePatchType, rootsOfMesh, mesh.Namespace, "osm-mesh-root-certificate", `{"metadata":{"annotations":{"config.openservicemesh.io/force":"true"}},"spec":{"role":"Passive"}}`)
			return byHint
		}},
	{"the root's key is malformed", "root", "error", "Secret osm-system/osm-ca-bundle", `key "private.key"`, "put the PEM private key of ca.crt there",
		func(p *patient) func() { p.secret("private.key", []byte("garbage")); return byHint }},
	{"the root's key is that of another root", "root", "error", "Secret osm-system/osm-ca-bundle", "key of another certificate", "put the PEM private key of ca.crt there",
		func(p *patient) func() { p.secret("private.key", newPair(p.t, nil).key); return byHint }},
	{"the end of the root is another", "root", "error", "Secret osm-system/osm-ca-bundle", `key "expiration"`, "kubectl patch secret -n osm-system osm-ca-bundle --type=json",
		func(p *patient) func() { p.secret("expiration", []byte("2001-01-01T00:00:00.000Z")); return byHint }},
	{"the root's Secret is gone", "root", "error", "Secret osm-system/osm-ca-bundle", "does not exist", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() { // another root would wait for pods that no node runs
			back, put := p.away("osm-bootstrap"), p.without(secrets, mesh.Namespace, rootSecret)
			return func() { put(); back() }
		}},
	{"Vault's token is not there", "root", "error", "MeshRootCertificate osm-system/planted", "secret osm-system/token is not there", "kubectl create secret generic token -n osm-system --from-file=token",
		func(p *patient) func() {
			return p.root(`{"vault":{"address":"https://127.0.0.1:1","role":"osm","auth":{"tokenSecretRef":{"name":"token","key":"token"}}}}`)
		}},
	{"Vault is not there", "root", "error", "MeshRootCertificate osm-system/planted", "", "see that Vault answers at https://127.0.0.1:1",
		func(p *patient) func() {
			back := p.vaultToken("https://127.0.0.1:1")
			drop := p.root(`{"vault":{"address":"https://127.0.0.1:1","role":"osm","auth":{"tokenSecretRef":{"name":"token","key":"token"}}}}`)
			return func() { drop(); back() }
		}},
	{"Vault is asked over http", "root", "warning", "MeshRootCertificate osm-system/planted", "asked over http at http://127.0.0.1:1", "spec.provider.vault.address begin with https",
		func(p *patient) func() {
			return p.root(`{"vault":{"address":"http://127.0.0.1:1","role":"osm","auth":{"tokenSecretRef":{"name":"token","key":"token"}}}}`)
		}},
	{"cert-manager is not there", "root", "error", "MeshRootCertificate osm-system/planted", "", "name a Secret with ca.crt alone in rootsSecretRef",
		func(p *patient) func() { return p.root(`{"certManager":{"issuerRef":{"name":"osm-ca"}}}`) }},
	{"a namespace trusts what another client put there", "trust", "error", "ConfigMap books/osm-trust-bundle", "something else made it", "kubectl delete configmap -n books osm-trust-bundle",
		func(p *patient) func() {
			p.patch(types.MergePatchType, configMaps, "books", "osm-trust-bundle", `{"metadata":{"labels":null},"data":{"ca.crt":"%s"}}`, "tampered")
			return byHint
		}},
	{"a firewall is before the injector", "reachability", "error", "Service osm-system/osm-injector", "deadline exceeded", "port 9090 of the nodes",
		func(p *patient) func() { return p.silent("osm-injector", "osm-injector", 9090) }},
	{"a firewall is before the validator", "reachability", "error", "Service osm-system/osm-validator", "a firewall or a network policy", "port 9093 of the nodes",
		func(p *patient) func() { return p.silent("osm-controller", "osm-validator", 9093) }},
	{"a firewall is before the converter", "reachability", "error", "Service osm-system/osm-bootstrap", "a firewall or a network policy", "port 9443 of the nodes",
		func(p *patient) func() { return p.silent("osm-bootstrap", "osm-bootstrap", 9443) }},
	{"nothing serves the injector's webhook", "reachability", "error", "Service osm-system/osm-injector", "no replica is ready", "kubectl scale deployment/osm-injector",
		func(p *patient) func() { p.away("osm-injector"); return byHint }},
	{"the API server goes on without the injector", "reachability", "error", "Service osm-system/osm-injector", "continued without it, for a pod in namespace books", "after which osm check shows why it is not reached: osm upgrade",
		func(p *patient) func() {
			right, back := p.webhook("/failurePolicy", "Ignore", "Fail"), p.away("osm-injector")
			return func() { back(); right() }
		}},
	{"the API server goes on without the validator", "reachability", "error", "Service osm-system/osm-validator", "continued without it, for a MeshConfig with a mistake", "osm upgrade",
		func(p *patient) func() {
			set := func(policy string) {
				p.patch(types.JSONPatchType, validators, "", "osm-validator-mesh-osm", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"%s"}]`, policy)
			}
			set("Ignore")
			back := p.silent("osm-controller", "osm-validator", 9093)
			return func() { back(); set("Fail") }
		}},
	{"the API server does not accept the injector's certificate", "reachability", "error", "Service osm-system/osm-injector", "x509: ", "kubectl scale deployment/osm-bootstrap",
		func(p *patient) func() {
			p.away("osm-bootstrap")
			p.webhook("/clientConfig/caBundle", newPair(p.t, nil).cert, nil)
			return byHint
		}},
	{"the clock is wrong", "clocks", "error", "API server", "ahead of that of this machine", "NTP", plantClock},
	{"a namespace belongs to a mesh that is not there", "namespaces", "warning", "Namespace default", `mesh "osn"`, "kubectl label --overwrite namespace default",
		func(p *patient) func() { return p.label("default", "labels", monitored, "osn") }},
	{"kube-system is labelled", "namespaces", "warning", "Namespace kube-system", "has no effect", "kubectl label namespace kube-system",
		func(p *patient) func() { p.label("kube-system", "labels", monitored, mesh.Name); return byHint }},
	{"a namespace says something that is no answer", "namespaces", "error", "Namespace books", `"maybe"`, "kubectl annotate --overwrite namespace books",
		func(p *patient) func() { p.label("books", "annotations", injection, "maybe"); return byHint }},
	{"osm-edge has left keys", "namespaces", "warning", "Namespace books", "sidecar-bootstrap-config-1", "kubectl delete secret -n books sidecar-bootstrap-config-1",
		func(p *patient) func() {
			p.create(secrets, "books", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"sidecar-bootstrap-config-1","labels":{"app.kubernetes.io/name":"openservicemesh.io"}}}`)
			return byHint
		}},
	{"pods were there before the mesh", "pods", "warning", "Namespace outside", "1 pod without a sidecar", "kubectl rollout restart -n outside deployment/plain",
		func(p *patient) func() {
			deployPlain(p.t, p.client)
			p.label("outside", "labels", monitored, mesh.Name)
			return byHint
		}},
	{"a sidecar does not work", "pods", "error", "Namespace books", "broken", "kubectl logs -n books broken -c sidecar", plantSidecar},
	{"a port is HTTP, and nothing says so", "ports", "warning", "Deployment books/bookbuyer", "port 8080 is HTTP, but nothing declares it to its sidecar: Service bookbuyer has it as port 80", `http-port-list: "8080"`,
		func(p *patient) func() {
			p.create(services, "books", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"bookbuyer"},"spec":{"selector":{"app":"bookbuyer"},"ports":[{"port":80,"targetPort":8080}]}}`)
			return func() {
				p.patch(types.JSONPatchType, services, "books", "bookbuyer", `[{"op":"add","path":"/spec/ports/0/appProtocol","value":"http"}]`)
			}
		}},
	{"a pod does not take in the new root", "rotation", "warning", "MeshRootCertificate", "books/bookbuyer", "kubectl rollout restart -n books deployment/bookbuyer",
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
