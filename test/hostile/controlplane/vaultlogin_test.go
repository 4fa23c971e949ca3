//go:build hostile

package controlplane

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/provider"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/manifests"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/cluster"
)

const (
	meshNamespace = "osm-system"
	credential    = "hvs.of-the-mesh-alone"
	// decided is how long the mesh may take to say what it makes of an object.
	decided = 20 * time.Second
)

func TestWhoMayWriteRootsGetsNoLogin(t *testing.T) {
	r := startRoots(t)
	for what, change := range map[string]func(*v1.Vault, *corev1.Secret){
		"a token of Vault":               func(*v1.Vault, *corev1.Secret) {},
		"a token for another Vault":      func(_ *v1.Vault, s *corev1.Secret) { bind(s, "https://vault.example:8200") },
		"a token for a host of its name": func(v *v1.Vault, s *corev1.Secret) { bind(s, strings.Replace(v.Address, "127.0.0.1", "localhost", 1)) },
		"a token for its host over http": func(v *v1.Vault, s *corev1.Secret) { bind(s, strings.Replace(v.Address, "https", "http", 1)) },
		"another key of a Secret": func(v *v1.Vault, s *corev1.Secret) {
			v.Auth.TokenSecretRef.Key, s.Data = "private.key", map[string][]byte{"private.key": []byte(credential)}
		},
		"the login of the service account": func(v *v1.Vault, _ *corev1.Secret) {
			v.Auth = v1.VaultAuth{Kubernetes: &v1.VaultKubernetesAuth{Role: "osm"}}
		},
	} {
		attack.Refused(t, area, "who may write a MeshRootCertificate has sent to a host of theirs "+what, func(t *testing.T) (string, error) {
			listener := listen(t)
			ready, err := r.try(t, listener, change)
			if err != nil {
				return "", err
			}
			if listener.heard.Load() {
				return "", errors.New("it was sent")
			}
			if ready.Reason != "Refused" {
				return "", fmt.Errorf("Ready is %s: %s", ready.Reason, ready.Message)
			}
			return "refused, and nothing is sent", nil
		})
	}
	attack.Works(t, area, "a token goes where its Secret says", func(t *testing.T) (string, error) {
		listener := listen(t)
		if _, err := r.try(t, listener, func(v *v1.Vault, s *corev1.Secret) { bind(s, v.Address) }); err != nil {
			return "", err
		}
		if !listener.heard.Load() {
			return "", errors.New("it was not sent")
		}
		return "it is asked with it", nil
	})
}

func bind(s *corev1.Secret, address string) {
	s.Annotations = map[string]string{v1.AnnotationVaultAddress: address}
}

// listener is a host that the attacker has, with a certificate that the object
// names.
type listener struct {
	*httptest.Server
	heard atomic.Bool // the login of the mesh
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != "" || strings.Contains(r.URL.Path, "login") {
			l.heard.Store(true)
		}
		http.Error(w, `{"errors":["no"]}`, http.StatusForbidden)
	}))
	t.Cleanup(l.Close)
	return l
}

// roots is what osm-controller has of MeshRootCertificates, on a real API server.
type roots struct {
	client  kubernetes.Interface
	objects *gentype.ClientWithList[*v1.MeshRootCertificate, *v1.MeshRootCertificateList]
	tried   int
}

func startRoots(t *testing.T) *roots {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{Log: os.Stderr})
	check(t, err)
	t.Cleanup(func() { check(t, c.Stop()) })
	client, err := kubernetes.NewForConfig(c.Config())
	check(t, err)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace}}, metav1.CreateOptions{})
	check(t, err)
	define(t, c.Config())
	r := &roots{client: client, objects: newObjects(t, c.Config())}
	requests, err := certmanager.NewClient(c.Config())
	check(t, err)
	self, err := identity.New("cluster.local", meshNamespace, "osm-controller")
	check(t, err)
	p := provider.New(provider.Options{
		Objects: r.objects, Client: client, CertManager: requests, Namespace: meshNamespace, Mesh: "osm", Self: self, Replica: "osm-controller-0",
		RootSecret: "osm-ca-bundle", VaultTokenFile: "/nowhere", VaultAddress: "https://vault.example:8200",
		Manager: issuer.NewManager(issuer.Options{Logger: quiet}), Rotation: alone{}, RetirementPeriod: func() time.Duration { return time.Hour }, Logger: quiet,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		check(t, <-ended)
	})
	return r
}

// try makes an object as the attacker wants it, and returns what the mesh says of
// it.
func (r *roots) try(t *testing.T, l *listener, change func(*v1.Vault, *corev1.Secret)) (*metav1.Condition, error) {
	t.Helper()
	r.tried++
	name := fmt.Sprint("root-", r.tried)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"token": []byte(credential)}}
	spec := &v1.Vault{
		Address: l.URL, Role: "openservicemesh", Mount: "pki",
		CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.Certificate().Raw}),
		Auth:     v1.VaultAuth{TokenSecretRef: &v1.SecretKeyReference{Name: name, Key: "token"}},
	}
	change(spec, secret)
	if _, err := r.client.CoreV1().Secrets(meshNamespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	object := &v1.MeshRootCertificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1.GroupVersion.String(), Kind: "MeshRootCertificate"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1.MeshRootCertificateSpec{TrustDomain: "cluster.local", Role: v1.Active, Provider: v1.Provider{Vault: spec}},
	}
	if _, err := r.objects.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	watch, err := r.objects.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	late := time.After(decided)
	for {
		select {
		case event := <-watch.ResultChan():
			if object, ok := event.Object.(*v1.MeshRootCertificate); ok {
				if ready := meta.FindStatusCondition(object.Status.Conditions, v1.ConditionReady); ready != nil {
					return ready, nil
				}
			}
		case <-late:
			return nil, errors.New("the mesh says nothing of it")
		}
	}
}

// define has the API server know MeshRootCertificates, in one version, which
// needs no conversion.
func define(t *testing.T, config *rest.Config) {
	t.Helper()
	crds, err := manifests.CRDs(meshNamespace)
	check(t, err)
	client, err := apiextensions.NewForConfig(config)
	check(t, err)
	for _, crd := range crds {
		if crd.Spec.Names.Plural != "meshrootcertificates" {
			continue
		}
		crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
		for i := range crd.Spec.Versions {
			crd.Spec.Versions[i].Served, crd.Spec.Versions[i].Storage = crd.Spec.Versions[i].Name == "v1", crd.Spec.Versions[i].Name == "v1"
		}
		_, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), crd, metav1.CreateOptions{})
		check(t, err)
		watch, err := client.ApiextensionsV1().CustomResourceDefinitions().Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + crd.Name})
		check(t, err)
		defer watch.Stop()
		for event := range watch.ResultChan() {
			if known, ok := event.Object.(*apiextensionsv1.CustomResourceDefinition); ok && established(known) {
				return
			}
		}
	}
	t.Fatal("MeshRootCertificates are not known")
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, condition := range crd.Status.Conditions {
		if condition.Type == apiextensionsv1.Established {
			return condition.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

func newObjects(t *testing.T, config *rest.Config) *gentype.ClientWithList[*v1.MeshRootCertificate, *v1.MeshRootCertificateList] {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, v1.AddToScheme(scheme))
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/apis", &v1.GroupVersion
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	check(t, err)
	return gentype.NewClientWithList("meshrootcertificates", client, runtime.NewParameterCodec(scheme), meshNamespace,
		func() *v1.MeshRootCertificate { return &v1.MeshRootCertificate{} },
		func() *v1.MeshRootCertificateList { return &v1.MeshRootCertificateList{} })
}

// alone is the rotation of a mesh that trusts nothing yet.
type alone struct{}

func (alone) Want(rotation.Wanted)          {}
func (alone) State() (rotation.State, bool) { return rotation.State{}, false }
func (alone) Signs(trustbundle.TrustBundle) {}
func (alone) Leads() bool                   { return true }
func (alone) Status() *v1.RotationStatus    { return nil }
