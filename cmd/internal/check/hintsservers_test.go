package check

import (
	"crypto/x509"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func hintsOfServers() []hint {
	const mutating, served1 = "MutatingWebhookConfiguration osm-webhook-east", "Secret mesh-east/osm-injector-tls"
	const post, service = `Post "https://osm-injector.mesh-east.svc:9090/": `, "Service mesh-east/osm-injector"
	const unreached = "reachability: the API server could not call it for %s: %s: %s"
	says := func(problem string) func(*world) {
		return answered(Call{Service: "osm-injector", Asked: "a pod in namespace books", Problem: problem})
	}
	otherPort := int32(1)
	return []hint{
		{"the mutating webhook is gone", "mutating: it does not exist: new pods get no sidecar", mutating, "", func(w *world) { w.Mutating = nil }, nil},
		{"the mutating webhook is empty", "mutating: it has no webhooks: new pods get no sidecar", mutating, "", func(w *world) { w.Mutating.Webhooks = nil }, nil},
		{"the validating webhook is gone", "validating: it does not exist: mistakes in the mesh's objects are accepted", "ValidatingWebhookConfiguration osm-validator-mesh-east", "", func(w *world) { w.Validating = nil }, nil},
		{"the validating webhook is empty", "validating: it has no webhooks: mistakes in the mesh's objects are accepted", "ValidatingWebhookConfiguration osm-validator-mesh-east", "", func(w *world) { w.Validating.Webhooks = nil }, nil},
		{"the webhook calls a URL", "webhook: it calls a URL, not Service %s", mutating, "", func(w *world) { w.Mutating.Webhooks[0].ClientConfig.Service = nil }, nil},
		{"the webhook is passed over", "webhook: its failurePolicy is not Fail: while it cannot be called, the API server continues without it", mutating, "", func(w *world) { w.Mutating.Webhooks[0].FailurePolicy = nil }, nil},
		{"the webhook has another port", "goes: it calls %s, not %s", mutating, "", func(w *world) { w.Mutating.Webhooks[0].ClientConfig.Service.Port = &otherPort }, nil},
		{"a definition is not converted", "converting: it does not convert by the webhook of osm-bootstrap", "CustomResourceDefinition meshconfigs.config.openservicemesh.io", "rollout restart deployment/osm-bootstrap",
			func(w *world) { w.Definitions["meshconfigs.config.openservicemesh.io"].Spec.Conversion = nil }, nil},

		{"a server has no certificate", "serving: it does not exist: %s has no serving certificate", served1, "", func(w *world) { delete(w.Secrets, "osm-injector-tls") }, nil},
		{"a server has no certificate, and the root is refused", "serving: it does not exist: %s has no serving certificate", served1, "Secret mesh-east/east-root first",
			both(func(w *world) { delete(w.Secrets, "osm-injector-tls") }, secretKey("private.key", "garbage")), nil},
		{"a server's certificate is none", `chain: key %q: %s`, served1, "", served(func(_ *world, s *corev1.Secret) { s.Data[corev1.TLSCertKey] = []byte("-") }), nil},
		{"a server's key is another's", "chain: key %q is not the private key of %q", served1, "", served(func(w *world, s *corev1.Secret) { s.Data[corev1.TLSPrivateKeyKey] = w.files["private.key"] }), nil},
		{"a server's certificate has ended", "chain: key %q expired at %s", served1, "", servedWith(ends(-time.Hour)), nil},
		{"a server's certificate is of tomorrow", "chain: key %q is not valid before %s", served1, "", servedWith(func(c *x509.Certificate) { c.NotBefore = c.NotBefore.AddDate(0, 0, 3) }), nil},
		{"a server's certificate is another's", "chain: key %q is for %v, not for %s", served1, "", servedWith(func(c *x509.Certificate) { c.DNSNames = []string{"osm-injector.osm-system.svc"} }), nil},
		{"a server's certificate ends now", "serving: key %q expires in %s and has not been renewed", served1, "", servedWith(func(c *x509.Certificate) {
			c.DNSNames = []string{"osm-injector.mesh-east.svc"}
			ends(20 * time.Second)(c)
		}), nil},
		{"a caBundle is empty", "trustedBy: its caBundle is empty: the API server cannot verify %s", mutating, "", caBundle(" "), nil},
		{"a caBundle is malformed", "trustedBy: its caBundle is malformed: %s", mutating, "", caBundle("-"), nil},
		{"a caBundle is another's", "trustedBy: its caBundle does not verify what %s serves, which is signed by %s: %s", mutating, "", func(w *world) { w.Mutating.Webhooks[0].ClientConfig.CABundle = w.files["ca.crt"] }, nil},
		{"a caBundle is of a root that forbids the name", "trustedBy: its caBundle does not verify what %s serves, which is signed by %s: %s", mutating, "Secret mesh-east/east-root first: put the PEM certificate", constrained, nil},
		{"a caBundle is of a root that forbids the name, and Vault signs", "trustedBy: its caBundle does not verify what %s serves, which is signed by %s: %s", mutating, "kubectl delete secret -n mesh-east osm-injector-tls",
			both(constrained, provides(vaultProvider)), nil},

		{"the API server continues without it", "reachability: the API server continued without it, for %s: it does not reach it and its webhook's failurePolicy is Ignore, or its webhook is not for that", service, "after which osm check shows why",
			answered(Call{Service: "osm-injector", Asked: "a pod in namespace books", Passed: true}), nil},
		{"a certificate is not accepted", unreached, service, "rollout restart deployment/osm-bootstrap", says(post + "x509: certificate signed by unknown authority"), nil},
		{"a certificate has ended", unreached, service, "kubectl delete secret -n mesh-east osm-injector-tls", says(post + "x509: certificate has expired or is not yet valid: current time"), nil},
		{"a root forbids the name", unreached, service, "kubectl create secret generic east-root -n mesh-east --from-file=ca.crt", says(post + "x509: a root or intermediate certificate is not authorized to sign for this name: DNS name"), nil},
		{"clients are verified", unreached, service, "osm upgrade --mesh-name east --osm-namespace mesh-east --set osm.webhooks.verifyClient=false", says(post + "remote error: tls: certificate required"), nil},
		{"a proxy is in between", unreached, service, "NO_PROXY", says(post + "proxyconnect tcp: dial tcp"), reached},
		{"the tunnel does not work", unreached, service, "konnectivity-agent", says(post + "No agent available"), reached},
		{"no replica is ready", unreached, service, "kubectl get pods -n mesh-east -l app=osm-injector", says(post + "connection refused"), reached},
		{"no replica is to be", unreached, service, "kubectl scale deployment/osm-injector -n mesh-east --replicas=1", both(says(post+"connection refused"), scaledAway("osm-injector")), nil},
		{"its Service is gone", unreached, service, "osm upgrade", says(`service "osm-injector" not found`), nil},
		{"a firewall is in between", unreached, service, "port 9090 of the nodes", says(post + "context deadline exceeded"), reached},
		{"something else is wrong", unreached, service, "kubectl logs -n mesh-east deployment/osm-injector", says("something else"), reached},
	}
}
