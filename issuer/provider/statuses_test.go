package provider

import (
	"crypto/x509"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/testkit"
)

// fault is one thing that a MeshRootCertificate's status can say, and what an
// operator does about it.
type fault struct {
	// source is where the code sets it, as function: reason.
	source   string
	provider v1.Provider
	domain   string // that of the mesh if empty
	plant    func(*testing.T, *mesh)
	// object is what is wrong, and fix what to do.
	object, fix string
	// follow does that, and after is what Ready is then. None: it takes another
	// MeshRootCertificate, or a Vault that is tested elsewhere.
	follow func(*testing.T, *mesh)
	after  string
}

// noVault is a Vault that is away: all that is looked at before it is not.
func noVault(change func(*v1.Vault)) v1.Provider {
	vault := &v1.Vault{Address: "https://127.0.0.1:1", Role: "osm", Auth: v1.VaultAuth{TokenSecretRef: &v1.SecretKeyReference{Name: "token", Key: "it"}}}
	change(vault)
	return v1.Provider{Vault: vault}
}

func asIs(*v1.Vault) {}

func faults() []fault {
	const allowed = v1.AnnotationVaultAddress
	nothing := func(*testing.T, *mesh) {}
	secret := func(name string, data map[string][]byte) func(*testing.T, *mesh) {
		return func(t *testing.T, m *mesh) { m.createSecret(t, name, data) }
	}
	token := func(address string) func(*testing.T, *mesh) {
		return func(t *testing.T, m *mesh) {
			_, err := m.client.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: namespace, Annotations: map[string]string{allowed: address}}, Data: map[string][]byte{"it": []byte("s.token")},
			}, metav1.CreateOptions{})
			must(t, err)
		}
	}
	edit := func(name, key string) func(*testing.T, *mesh) {
		return func(t *testing.T, m *mesh) {
			m.edit(t, name, func(s *corev1.Secret) {
				if key == allowed {
					metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, "https://127.0.0.1:1")
				} else {
					s.Data = map[string][]byte{key: good()[key]}
				}
			})
		}
	}
	makeRoot := func(t *testing.T, m *mesh) { m.makeRoot(t, "root") }
	given := v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: "ca"}, RootsSecretRef: &v1.SecretReference{Name: "given"}}}
	rooted := noVault(func(v *v1.Vault) { v.RootsSecretRef = &v1.SecretReference{Name: "given"} })
	return []fault{
		{"open: reasonRefused", tresorOf("root"), "another.domain", nothing, `its trust domain is "another.domain"`, "make another MeshRootCertificate, with spec.trustDomain cluster.local", nil, ""},
		{"open: reasonRefused", v1.Provider{}, "", nothing, "its provider", "upgrade the mesh", nil, ""},
		{"open: reasonRefused", noVault(func(v *v1.Vault) { v.Auth = v1.VaultAuth{Kubernetes: &v1.VaultKubernetesAuth{Role: "osm"}} }), "", nothing, "https://127.0.0.1:1", "osm.vault.protocol, host and port, with osm upgrade", nil, ""},
		{"unreadable: reasonSecretMissing", tresorOf("root"), "", nothing, "secret osm-system/root", "osm-bootstrap creates it", makeRoot, "True Reached"},
		{"unreadable: reasonUnreachable", tresorOf("root"), "", forbid, "read secret osm-system/root", "let osm-controller get, list and watch it", nil, ""},
		{"adoptRoot: reasonRefused", tresorOf("root"), "", secret("root", map[string][]byte{"ca.crt": []byte("-")}), "secret osm-system/root", "put the PEM certificate of one root CA there, or delete the secret to have a new root made",
			func(t *testing.T, m *mesh) { m.deleteSecret(t, "root"); makeRoot(t, m) }, "True Reached"},
		{"given: reasonSecretMissing", given, "", nothing, "secret osm-system/given", "kubectl create secret generic given -n osm-system --from-file=ca.crt", secret("given", good()), "False Failing"},
		{"given: reasonRefused", given, "", secret("given", map[string][]byte{"ca.crt": []byte("-")}), "secret osm-system/given", "kubectl create secret generic given -n osm-system --from-file=ca.crt --dry-run=client -o yaml | kubectl replace -f -", edit("given", "ca.crt"), "False Failing"},
		{"given: reasonRefused", given, "", func(t *testing.T, m *mesh) { m.makeRoot(t, "given") }, `secret osm-system/given is refused: key "private.key"`, "name a Secret with ca.crt alone in rootsSecretRef",
			func(t *testing.T, m *mesh) {
				m.createSecret(t, "alone", good())
				m.change(t, "planted", func(s *v1.MeshRootCertificateSpec) {
					s.Provider.CertManager.RootsSecretRef = &v1.SecretReference{Name: "alone"}
				})
			}, "False Failing"},
		{"unreadable: reasonSecretMissing", noVault(asIs), "", nothing, "secret osm-system/token", "with the token for Vault: create it", token("https://127.0.0.1:1"), "False Unreachable"},
		{"bound: reasonRefused", noVault(asIs), "", secret("token", map[string][]byte{"it": []byte("s.token")}), "secret osm-system/token", "kubectl annotate secret -n osm-system token openservicemesh.io/vault-address=https://127.0.0.1:1", edit("token", allowed), ""},
		{"bound: reasonRefused", noVault(asIs), "", token("https://elsewhere:8200"), "secret osm-system/token", "kubectl annotate --overwrite secret -n osm-system token openservicemesh.io/vault-address=https://127.0.0.1:1", edit("token", allowed), "False Unreachable"},
		{"of: reasonSecretMissing", noVault(func(v *v1.Vault) { v.Auth.TokenSecretRef.Key = "other" }), "", token("https://127.0.0.1:1"), `key "other" is missing or empty`, "kubectl create secret generic token -n osm-system --from-file=other --dry-run=client -o yaml | kubectl apply -f -",
			func(t *testing.T, m *mesh) {
				m.edit(t, "token", func(s *corev1.Secret) { s.Data["other"] = []byte("\ufeffs.token\n") })
			}, "False Unreachable"},
		{"of: reasonRefused", noVault(asIs), "", func(t *testing.T, m *mesh) {
			token("https://127.0.0.1:1")(t, m)
			m.edit(t, "token", func(s *corev1.Secret) { s.Data["it"] = []byte(`"s.token"`) })
		}, `secret osm-system/token has no token for Vault in key "it"`, "kubectl create secret generic token -n osm-system --from-file=it --dry-run=client -o yaml | kubectl apply -f -",
			func(t *testing.T, m *mesh) {
				m.edit(t, "token", func(s *corev1.Secret) { s.Data["it"] = []byte("s.token") })
			}, "False Unreachable"},
		{"follow: reasonSecretMissing", rooted, "", token("https://127.0.0.1:1"), "secret osm-system/given", "kubectl create secret generic given -n osm-system --from-file=ca.crt", secret("given", good()), "False Unreachable"},
		{"follow: reasonRefused", rooted, "", func(t *testing.T, m *mesh) {
			token("https://127.0.0.1:1")(t, m)
			m.createSecret(t, "given", map[string][]byte{"ca.crt": []byte("-")})
		}, "secret osm-system/given", "kubectl create secret generic given -n osm-system --from-file=ca.crt --dry-run=client", edit("given", "ca.crt"), "False Unreachable"},
		{"follow: reasonRefused", rooted, "", func(t *testing.T, m *mesh) {
			token("https://127.0.0.1:1")(t, m)
			key, err := issuer.GenerateRootKey()
			must(t, err)
			m.createSecret(t, "given", map[string][]byte{"ca.crt": givenRoot(t, key, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })["ca.crt"]})
		}, `certificate of "CN=corporate"`, "permit cluster.local, or make a root without them", edit("given", "ca.crt"), "False Unreachable"},
		{"look: vaultReason", noVault(asIs), "", token("https://127.0.0.1:1"), "vault at https://127.0.0.1:1", "cannot be reached", nil, ""},
	}
}

// elsewhere are those whose cause takes a Vault or cert-manager, with the test
// that plants it and puts it right.
var elsewhere = map[string]string{
	"try: reasonFailing":       "TestVaultIsTriedBeforeItSigns",
	"compute: reasonFailing":   "TestVaultIsTriedBeforeItSigns",
	"leftOut: reasonLeftOut":   "TestARootThatHasEndedBesideTheOneOfCertManagerIsLeftOut",
	"inspect: vaultReason":     "TestTheStatusSaysWhatHasStopped",
	"inspect: reasonTokenEnds": "TestTheStatusSaysWhatSignsAndWhatWillStop",
	"inspect: reasonShortened": "TestTheStatusSaysWhatSignsAndWhatWillStop",
	"look: reasonRefused":      "TestARootOfVaultThatForbidsTheNamesIsRefused",
	"fit: reasonLeftOut":       "TestARootOfVaultThatForbidsTheNamesBesideOneThatDoesNotIsLeftOut",
}

// good is a Secret with a root that can be given.
func good() map[string][]byte {
	certificate, _, err := tresor.NewRoot()
	if err != nil {
		panic(err)
	}
	return map[string][]byte{rootsecret.CertificateKey: trustbundle.New(certificate).PEM()}
}

// forbid has the API server let no Secret be read.
func forbid(_ *testing.T, m *mesh) {
	deny := func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(corev1.Resource("secrets"), "root", fmt.Errorf("no Role allows it"))
	}
	m.client.(*fake.Clientset).PrependReactor("list", "secrets", deny)
}

func TestEachStatusSaysWhatIsWrongAndWhatHelps(t *testing.T) {
	sources := problemsOfTheCode(t)
	for i, f := range faults() {
		sources[f.source] = true
		t.Run(fmt.Sprintf("%02d %s", i, f.source), func(t *testing.T) {
			t.Parallel()
			m := newMesh(t)
			f.plant(t, m)
			domain := "cluster.local"
			if f.domain != "" {
				domain = f.domain
			}
			m.createFrom(t, "planted", v1.MeshRootCertificateSpec{TrustDomain: domain, Role: v1.Active, Provider: f.provider})
			m.run(t)
			_, reason, _ := strings.Cut(f.source, "reason")
			if reason == "" || strings.HasPrefix(reason, "Vault") {
				reason = v1.ReasonUnreachable
			}
			m.awaitReady(t, "False "+reason)
			message := meta.FindStatusCondition(m.object(t, "planted").Status.Conditions, v1.ConditionReady).Message
			t.Log(message)
			for _, want := range []string{f.object, f.fix} {
				if !strings.Contains(message, want) {
					t.Errorf("it says %q, and nothing of %q", message, want)
				}
			}
			if f.follow != nil && f.after != "" {
				f.follow(t, m)
				m.awaitReady(t, f.after)
			}
		})
	}
	tests := testsOfThePackage(t)
	for text, walked := range sources {
		if !walked && !tests[elsewhere[text]] {
			t.Errorf("no case shows what %q says, and that it helps", text)
		}
	}
}

func (m *mesh) awaitReady(t *testing.T, want string) {
	t.Helper()
	testkit.Await(t, "it succeeds", func() error {
		if got := m.says(t, "planted", v1.ConditionReady); got != want {
			return fmt.Errorf("Ready is %q, want %q\n%s", got, want, &m.logged)
		}
		return nil
	})
}

func testsOfThePackage(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				all[function.Name.Name] = true
			}
		}
	}
	return all
}

// problemsOfTheCode are the places that make a problem, by function and reason.
func problemsOfTheCode(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				made, ok := n.(*ast.CompositeLit)
				if !ok || len(made.Elts) < 2 {
					return true
				}
				if of, ok := made.Type.(*ast.Ident); ok && of.Name == "problem" {
					reason := "problem"
					switch e := made.Elts[0].(type) {
					case *ast.Ident:
						reason = e.Name
					case *ast.CallExpr:
						reason = e.Fun.(*ast.Ident).Name
					}
					all[function.Name.Name+": "+reason] = false
				}
				return true
			})
		}
	}
	return all
}
