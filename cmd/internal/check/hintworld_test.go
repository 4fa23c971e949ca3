package check

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// The mesh of the walk has other names than the usual, which hints have to say.
const (
	walkMesh  = "east"
	walkSpace = "mesh-east"
	walkRoot  = "east-root"
	authority = "east-authority"
)

// pair is a certificate and its key.
type pair struct {
	*x509.Certificate
	key crypto.Signer
}

func (p pair) pem(t *testing.T) (certificate, key []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// makePair is signed by the parent, or by itself without one. Roots are such as
// the mesh makes.
func makePair(t *testing.T, parent *pair, change func(*x509.Certificate)) pair {
	t.Helper()
	key, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	serial := big.NewInt(time.Now().UnixNano())
	template := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0)}
	if parent == nil {
		template.Subject = pkix.Name{CommonName: "osm-ca.openservicemesh.io", SerialNumber: serial.Text(16)}
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	change(template)
	by := pair{template, key}
	if parent != nil {
		by = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{certificate, key}
}

var definitionsOfTheWalk = sync.OnceValues(func() ([]*apiextensionsv1.CustomResourceDefinition, error) { return manifests.CRDs(walkSpace) })

func asItIs(*x509.Certificate) {}

// world is a mesh that is in order, and what its parts do in it.
type world struct {
	*Snapshot
	t *testing.T
	// files are those that an operator has, for kubectl create secret.
	files map[string][]byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, Snapshot: &Snapshot{
		Mesh: walkMesh, Namespace: walkSpace, RootSecret: walkRoot, Now: time.Now(), ServerTime: time.Now(),
		Deployments: map[string]*appsv1.Deployment{}, Definitions: map[string]*apiextensionsv1.CustomResourceDefinition{},
		Secrets: map[string]*corev1.Secret{}, Copies: map[string]*corev1.ConfigMap{}, Leftovers: map[string][]string{},
		Meshes: []string{walkMesh}, Rights: []Right{{Account: "osm-injector", Verb: "create", Resource: "events", Allowed: true}},
	}}
	w.files = map[string][]byte{}
	w.files["ca.crt"], w.files["private.key"] = makePair(t, nil, asItIs).pem(t)
	w.Namespaces = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "books", Labels: map[string]string{monitoredByLabel: walkMesh}}}}
	w.Pods = []Pod{{Namespace: "books", Name: "buyer", Workload: "deployment/buyer", Sidecar: true}}
	w.chart()
	w.bootstrap()
	return w
}

// chart is what an upgrade writes.
func (w *world) chart() {
	for _, name := range Components {
		w.Deployments[name] = &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{versionLabel: "0.1.0"}, Annotations: map[string]string{releaseName: walkMesh, releaseNamespace: walkSpace}},
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1))}, Status: appsv1.DeploymentStatus{AvailableReplicas: 1},
		}
	}
	client := func(to endpoint) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{Namespace: walkSpace, Name: to.service, Path: &to.path, Port: &to.port}}
	}
	fail := admissionregistrationv1.Fail
	w.Mutating = &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "osm-webhook-" + walkMesh},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{Name: injectorWebhook, ClientConfig: client(injection), FailurePolicy: &fail}}}
	w.Validating = &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "osm-validator-mesh-" + walkMesh},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{Name: "osm-validator.k8s.io", ClientConfig: client(validation), FailurePolicy: &fail}}}
	for i := range w.Rights {
		w.Rights[i].Allowed = true
	}
	w.calls("not found", "certificate required", "")
}

// calls ends the calls that failed for these reasons.
func (w *world) calls(reasons ...string) {
	w.Calls = slices.DeleteFunc(w.Calls, func(c Call) bool {
		return slices.ContainsFunc(reasons, func(reason string) bool {
			return reason != "" && strings.Contains(c.Problem, reason) || reason == "" && c.Passed
		})
	})
}

func fingerprintOf(root *x509.Certificate) string {
	sum := sha256.Sum256(root.Raw)
	return hex.EncodeToString(sum[:])
}

// bootstrap is what osm-bootstrap does, in its order: it stops at what fails.
func (w *world) bootstrap() {
	if d := w.Deployments["osm-bootstrap"]; d == nil || *d.Spec.Replicas == 0 {
		return
	}
	wanted, err := definitionsOfTheWalk()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, definition := range wanted {
		if is := w.Definitions[definition.Name]; is != nil && (is.DeletionTimestamp != nil || namesTaken(is) != "") {
			return
		}
		w.Definitions[definition.Name] = definition.DeepCopy()
	}
	if w.MeshConfig == nil {
		w.MeshConfig = &v1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		w.MeshConfig.Status.ObservedGeneration, w.MeshConfig.Status.Conditions = 1, []metav1.Condition{{Type: v1.ConditionReady, Status: metav1.ConditionTrue}}
	}
	if len(w.Roots) == 0 {
		w.Roots = []v1.MeshRootCertificate{tresorRoot(authority, v1.Active, walkRoot)}
	}
	ca := makePair(w.t, nil, asItIs) // of its own, where the mesh's root is elsewhere
	if signer := v1.NewestActive(w.Roots); signer != nil && signer.Spec.Provider.Tresor != nil {
		for i := range w.Roots {
			name, ok := RootSecret(&w.Roots[i])
			if ok && w.Roots[i].Spec.Role.Used() && w.Secrets[name] == nil {
				w.Secrets[name] = rootIn(w.t, name, makePair(w.t, nil, asItIs))
			}
			if w.refusal(&w.Roots[i]) != nil {
				w.follow()
				return
			}
		}
		ca = keyPair(w.t, w.Secrets[signer.Spec.Provider.Tresor.SecretRef.Name])
	}
	w.serve(ca)
	w.follow()
}

// serve gives every server a certificate of the CA, and has the API server trust
// that.
func (w *world) serve(ca pair) {
	w.calls("x509: ")
	bundle, _ := ca.pem(w.t)
	for _, service := range Servers {
		w.Secrets[service+"-tls"] = w.serving(ca, service)
	}
	for _, definition := range w.Definitions {
		definition.Spec.Conversion.Webhook.ClientConfig.CABundle = bundle
	}
	if w.Mutating != nil && len(w.Mutating.Webhooks) > 0 {
		w.Mutating.Webhooks[0].ClientConfig.CABundle = bundle
	}
	if w.Validating != nil && len(w.Validating.Webhooks) > 0 {
		w.Validating.Webhooks[0].ClientConfig.CABundle = bundle
	}
}

func (w *world) serving(ca pair, service string) *corev1.Secret {
	certificate, key := makePair(w.t, &ca, func(c *x509.Certificate) { c.DNSNames = []string{service + "." + walkSpace + ".svc"} }).pem(w.t)
	return &corev1.Secret{Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key}}
}

// follow is what osm-controller does: it takes in the roots, says so, and
// publishes them.
func (w *world) follow() {
	if d := w.Deployments["osm-controller"]; d == nil || *d.Spec.Replicas == 0 {
		return
	}
	w.Lease = &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: new("osm-controller-1"), RenewTime: &metav1.MicroTime{Time: w.Now}}}
	var roots []*x509.Certificate
	for i := range w.Roots {
		root := &w.Roots[i]
		ready := metav1.Condition{Type: v1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1.ReasonReached}
		if name, ok := RootSecret(root); ok && root.Spec.Role.Used() {
			switch refused := w.refusal(root); {
			case w.Secrets[name] == nil:
				ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1.ReasonSecretMissing, "secret "+name+" is not there"
			case refused != nil:
				ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1.ReasonRefused, refused.Error()
			default:
				roots = append(roots, keyPair(w.t, w.Secrets[name]).Certificate)
			}
		}
		root.Status.ObservedGeneration, root.Status.Conditions = root.Generation, []metav1.Condition{ready}
	}
	if len(roots) > 0 {
		w.record(rotation.Idle, 0, roots...)
	}
	w.publish()
}

// record has the roots be trusted, and the last of them sign.
func (w *world) record(step rotation.Step, lasts time.Duration, roots ...*x509.Certificate) {
	stages, signing := map[string]any{}, ""
	for _, root := range roots {
		signing = fingerprintOf(root)
		stages[signing] = map[string]any{"source": authority, "distributed": w.Now, "cleared": w.Now}
	}
	text, err := json.Marshal(map[string]any{"step": step, "since": w.Now.Add(-lasts), "signing": []string{signing}, "roots": stages})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Record = &corev1.ConfigMap{Data: map[string]string{rotation.BundleKey: string(trustbundle.New(roots...).PEM()), "rotation.json": string(text)}}
	w.publish()
}

// publish puts right what osm-controller knows for its own.
func (w *world) publish() {
	for _, namespace := range w.monitored() {
		if is := w.Copies[namespace]; is == nil {
			w.Copies[namespace] = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: manifests.Labels(walkMesh, "0.1.0")}, Data: map[string]string{rotation.BundleKey: w.Record.Data[rotation.BundleKey]}}
		}
	}
}

// do does what a command of a hint does, and refuses what that would.
func (w *world) do(command string) error {
	words := strings.Fields(strings.NewReplacer("'", "", `"`, "").Replace(command))
	has := func(all ...string) bool {
		return strings.Contains(" "+strings.Join(words, " ")+" ", " "+strings.Join(all, " ")+" ")
	}
	here := has("-n", walkSpace) || has("--osm-namespace", walkSpace)
	switch verb := strings.Join(words[:min(3, len(words))], " "); {
	case strings.HasPrefix(verb, "osm upgrade"):
		if !here || !has("--mesh-name", walkMesh) || w.Keeper != "" || w.Deployments["osm-injector"] != nil && w.Deployments["osm-injector"].Annotations[releaseName] != walkMesh {
			return fmt.Errorf("osm refuses %q", command)
		}
		w.chart()
		w.bootstrap()
	case strings.HasPrefix(verb, "helm upgrade"):
		w.chart()
		w.bootstrap()
	case strings.HasPrefix(verb, "kubectl scale deployment/") && here:
		d := w.Deployments[strings.TrimPrefix(words[2], "deployment/")]
		*d.Spec.Replicas, d.Status.AvailableReplicas = 1, 1
		w.calls("connection refused")
		w.bootstrap()
	case verb == "kubectl rollout restart" && here:
		if w.Deployments[strings.TrimPrefix(words[3], "deployment/")] == nil {
			return fmt.Errorf("there is nothing to restart: %q", command)
		}
		w.bootstrap()
	default:
		return w.change(words, has)
	}
	return nil
}
