package check

import (
	"crypto/x509"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func scaledAway(component string) func(*world) {
	return func(w *world) {
		*w.Deployments[component].Spec.Replicas, w.Deployments[component].Status.AvailableReplicas = 0, 0
	}
}

func available(n int32) func(*world) {
	return func(w *world) {
		*w.Deployments["osm-controller"].Spec.Replicas, w.Deployments["osm-controller"].Status.AvailableReplicas = 2, n
	}
}

// both has two things be wrong.
func both(plants ...func(*world)) func(*world) {
	return func(w *world) {
		for _, plant := range plants {
			plant(w)
		}
	}
}

func lease(renewed, written time.Duration) func(*world) {
	return func(w *world) {
		w.Lease.Spec.RenewTime = &metav1.MicroTime{Time: w.Now.Add(-renewed)}
		w.Lease.ManagedFields = []metav1.ManagedFieldsEntry{{Time: &metav1.Time{Time: w.Now.Add(-written)}}}
	}
}

func definition(change func(*apiextensionsv1.CustomResourceDefinition)) func(*world) {
	return func(w *world) { change(w.Definitions["meshrootcertificates.config.openservicemesh.io"]) }
}

func condition(kind apiextensionsv1.CustomResourceDefinitionConditionType) func(*world) {
	return definition(func(d *apiextensionsv1.CustomResourceDefinition) {
		d.Status.Conditions = []apiextensionsv1.CustomResourceDefinitionCondition{{Type: kind, Status: apiextensionsv1.ConditionFalse, Message: `"mrc" is in use`}}
	})
}

// redefined has the API server give up what an operator has changed.
func redefined(w *world) {
	delete(w.Definitions, "meshrootcertificates.config.openservicemesh.io")
	w.bootstrap()
}

// signedBy has the mesh have a root that ends so far from now, as it was made.
func signedBy(change func(*x509.Certificate)) func(*world) {
	return func(w *world) {
		root := makePair(w.t, nil, change)
		w.Secrets[walkRoot] = rootIn(w.t, walkRoot, root)
		w.record(rotation.Idle, 0, root.Certificate)
	}
}

func ends(in time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.AddDate(-10, 0, 0), time.Now().Add(in)
	}
}

// provides has another authority sign, and leaves what it signs with as it is.
func provides(p func() v1.Provider) func(*world) {
	return func(w *world) { w.Roots[0].Spec.Provider = p() }
}

func vaultProvider() v1.Provider {
	return v1.Provider{Vault: &v1.Vault{Address: "https://vault:8200", Mount: "mesh/pki", Auth: v1.VaultAuth{TokenSecretRef: &v1.SecretKeyReference{Name: "token", Key: "it"}}}}
}

func certManagerProvider() v1.Provider {
	return v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "ca", Kind: "ClusterIssuer", Group: "cert-manager.io"}, RootsSecretRef: &v1.SecretReference{Name: "given"}}}
}

func unready(reason, message string) func(*world) {
	return func(w *world) {
		w.Roots[0].Status.Conditions = []metav1.Condition{{Type: v1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
	}
}

// noted is what a status says of what can be used and needs attention.
func noted(reason string) func(*world) {
	return func(w *world) {
		w.Roots[0].Status.Conditions = []metav1.Condition{{Type: v1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: "it says so"}}
	}
}

// ready is what a status says when what it complained of is put right.
func ready(w *world) {
	w.Roots[0].Status.Conditions = []metav1.Condition{{Type: v1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1.ReasonReached}}
	w.Roots[0].Status.ObservedGeneration = w.Roots[0].Generation
}

// anotherRoot is a root of the authority that ends late, and has signed.
func anotherRoot(w *world) { w.record(rotation.Idle, 0, makePair(w.t, nil, asItIs).Certificate) }

func secretKey(key, value string) func(*world) {
	return func(w *world) { w.Secrets[walkRoot].Data[key] = []byte(value) }
}

func served(change func(*world, *corev1.Secret)) func(*world) {
	return func(w *world) { change(w, w.Secrets["osm-injector-tls"]) }
}

// servedWith has osm-injector serve with a certificate of the mesh's root.
func servedWith(change func(*x509.Certificate)) func(*world) {
	return served(func(w *world, secret *corev1.Secret) {
		root := keyPair(w.t, w.Secrets[walkRoot])
		secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey] = makePair(w.t, &root, change).pem(w.t)
	})
}

func caBundle(bundle string) func(*world) {
	return func(w *world) { w.Mutating.Webhooks[0].ClientConfig.CABundle = []byte(bundle) }
}

// constrained has all be signed by a root that forbids the names of servers.
func constrained(w *world) {
	root := makePair(w.t, nil, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local"} })
	w.Secrets[walkRoot] = rootIn(w.t, walkRoot, root)
	w.serve(root)
}

func foreign(w *world) { w.Secrets[walkRoot].Labels = nil }

func rotating(step rotation.Step, lasts time.Duration, status v1.RotationStatus) func(*world) {
	return func(w *world) {
		w.record(step, lasts, keyPair(w.t, w.Secrets[walkRoot]).Certificate)
		w.Roots[0].Status.Rotation = &status
	}
}

func settled(w *world) { w.record(rotation.Idle, 0, keyPair(w.t, w.Secrets[walkRoot]).Certificate) }

func answered(c Call) func(*world) { return func(w *world) { w.Calls = []Call{c} } }

func reached(w *world) { w.Calls = nil }

func namespace(name string, labels, annotations map[string]string) func(*world) {
	return func(w *world) {
		w.Namespaces = append(w.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}})
		if w.Monitored(&w.Namespaces[len(w.Namespaces)-1]) {
			w.publish()
		}
	}
}

func pod(p Pod) func(*world) { return func(w *world) { w.Pods = append(w.Pods, p) } }

func withoutPods(w *world) { w.Pods = w.Pods[:1] }

func pulled(w *world) {
	w.Deployments["osm-injector"].Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
}

func hints(t *testing.T) []hint {
	t.Helper()
	return append(append(hintsOfTheControlPlane(), hintsOfRoots()...), hintsOfServers()...)
}
