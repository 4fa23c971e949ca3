//go:build cli

package integration

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/testkit"
)

// inTheWay is refused in each case, whatever is fixed: nothing is ever installed.
const inTheWay = "ClusterRole osm-bootstrap-"

// refusalCase is something that osm install refuses, and that is not refused any
// more after what its hint says.
type refusalCase struct {
	name    string
	given   []string // beside osm install
	plant   string   // commands
	problem string   // that is refused
	hint    string
	run     string   // commands, HINT among them for the hint's own, which is also what is run without any
	instead []string // what is given after that, if it is something else
	install func(context.Context, *rest.Config) error
}

const (
	oneDeployment = `printf '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"osm-controller","labels":{"app.kubernetes.io/name":"openservicemesh.io","app.kubernetes.io/instance":"osm"}},
"spec":{"replicas":0,"selector":{"matchLabels":{"app":"c"}},"template":{"metadata":{"labels":{"app":"c"}},"spec":{"containers":[{"name":"c","image":"c","args":["--mesh-name=osm"]}]}}}}' | kubectl create -f - -n `
	definitionsApplied = `kubectl apply -f "$CHART"/crds && kubectl wait --for=condition=Established crd/meshrootcertificates.config.openservicemesh.io crd/meshconfigs.config.openservicemesh.io`
	rootApplied        = definitionsApplied + ` && printf '{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshRootCertificate","metadata":{"name":"first","namespace":"osm-system"},"spec":{"role":"Active","trustDomain":"cluster.local","provider":%s}}' `
	tresorApplied      = rootApplied + `'{"tresor":{"secretRef":{"name":"osm-ca-bundle"}}}' | kubectl apply -f -`
	vaultApplied       = rootApplied + `'{"vault":{"address":"https://v.example:8200","mount":"pki","role":"osm","auth":{"tokenSecretRef":{"name":"osm-vault-token","key":"token"}}}}' | kubectl apply -f -`

	noObjects = `kubectl delete secret,configmap,deployment --all -n osm-system --ignore-not-found
kubectl delete clusterrole osm-controller-osm osm-controller-other --ignore-not-found
kubectl delete deployment osm-controller -n elsewhere --ignore-not-found
if kubectl get crd meshrootcertificates.config.openservicemesh.io >/dev/null 2>&1; then kubectl delete meshrootcertificates.v1.config.openservicemesh.io --all -n osm-system; fi`
)

func valuesOf(all string) []string { return []string{"--set", all} }

var (
	byVault       = valuesOf("osm.certificateProvider.kind=vault,osm.vault.host=v,osm.vault.secret.name=login,osm.vault.secret.key=token")
	byCertManager = valuesOf("osm.certificateProvider.kind=cert-manager,osm.certmanager.issuerName=mesh-ca")
	byAny         = append(slices.Clone(byCertManager), "--set", "osm.certmanager.issuerKind=ClusterIssuer")
)

var refusalCases = []refusalCase{
	{name: "a user with few rights", given: []string{"--as=reader"},
		problem: "you may not create namespaces, customresourcedefinitions, clusterroles", hint: "do it as a cluster administrator", run: "true", instead: []string{}},
	{name: "Vault's token is missing, and the namespace", given: byVault,
		problem: "Secret osm-system/login, which is to hold Vault's token, does not exist", hint: "kubectl create secret generic login -n osm-system --from-file=token"},
	{name: "the namespace is gone", plant: "kubectl delete namespace osm-system", given: byCertManager,
		problem: "secret osm-system/osm-ca-bundle is refused", hint: "--from-file=ca.crt"},
	{name: "Vault's token is missing", given: byVault,
		problem: "which is to hold Vault's token, does not exist", hint: "kubectl create secret generic login -n osm-system --from-file=token"},
	{name: "Vault's token has another key", given: byVault, plant: "kubectl create secret generic login -n osm-system --from-literal=other=t",
		problem: `Secret osm-system/login has no key "token", which is to hold Vault's token`, hint: "kubectl delete secret login -n osm-system"},
	{name: "no cert-manager", given: byCertManager,
		problem: "cert-manager is not installed", hint: "install cert-manager: https://cert-manager.io/docs/installation", install: certmanager.Install},
	{name: "cert-manager's roots are missing", given: byCertManager,
		problem: `secret osm-system/osm-ca-bundle is refused: key "ca.crt": the secret does not exist`, hint: "kubectl create secret generic osm-ca-bundle -n osm-system --from-file=ca.crt"},
	{name: "cert-manager's roots are none", given: byCertManager, plant: "kubectl create secret generic osm-ca-bundle -n osm-system --from-literal=ca.crt=none",
		problem: `secret osm-system/osm-ca-bundle is refused: key "ca.crt"`, hint: "kubectl replace -f -"},
	{name: "cert-manager's roots are none, and cannot be changed", given: byCertManager,
		plant:   `kubectl create secret generic osm-ca-bundle -n osm-system --from-literal=ca.crt=none && kubectl patch secret osm-ca-bundle -n osm-system -p '{"immutable":true}'`,
		problem: `secret osm-system/osm-ca-bundle is refused: key "ca.crt"`, hint: "kubectl delete secret osm-ca-bundle -n osm-system && kubectl create secret"},
	{name: "the issuer is missing", given: byCertManager,
		problem: "Issuer mesh-ca does not exist in namespace osm-system", hint: "create it",
		run: `printf '{"apiVersion":"cert-manager.io/v1","kind":"Issuer","metadata":{"name":"mesh-ca","namespace":"osm-system"},"spec":{"selfSigned":{}}}' | kubectl create -f -`},
	{name: "the issuer is not ready", given: byCertManager,
		problem: "Issuer mesh-ca is not ready: cert-manager has not reported on it", hint: "kubectl describe issuer mesh-ca -n osm-system",
		run: ready + `issuer mesh-ca -n osm-system`},
	{name: "the issuer of the cluster is missing", given: byAny,
		problem: "ClusterIssuer mesh-ca does not exist\n", hint: "create it",
		run: `printf '{"apiVersion":"cert-manager.io/v1","kind":"ClusterIssuer","metadata":{"name":"mesh-ca"},"spec":{"selfSigned":{}}}' | kubectl create -f -`},
	{name: "the issuer of the cluster is not ready", given: byAny,
		problem: "ClusterIssuer mesh-ca is not ready", hint: "kubectl describe clusterissuer mesh-ca",
		run: ready + `clusterissuer mesh-ca`},
	{name: "another issuer is meant", given: valuesOf("osm.certificateProvider.kind=cert-manager,osm.certmanager.issuerName=other"),
		problem: "Issuer other does not exist", hint: "--set osm.certmanager.issuerName", run: "true", instead: byCertManager},
	{name: "the root is none", plant: "kubectl create secret generic osm-ca-bundle -n osm-system --from-literal=ca.crt=none --from-literal=private.key=none",
		problem: `secret osm-system/osm-ca-bundle is refused: key "ca.crt"`, hint: "delete the secret to have a new root made", run: "kubectl delete secret osm-ca-bundle -n osm-system"},

	{name: "a mesh that a tool manages", plant: oneDeployment + "osm-system && kubectl label deployment osm-controller -n osm-system argocd.argoproj.io/instance=mesh-prod",
		problem: "mesh osm is in namespace osm-system, managed by Argo CD's Application mesh-prod", hint: "change its version or values there", run: "kubectl delete deployment osm-controller -n osm-system"},
	{name: "a mesh without a release", plant: oneDeployment + "osm-system",
		problem: "mesh osm is in namespace osm-system, without a Helm release", hint: "install it again after osm uninstall mesh, which keeps its root", run: "osm uninstall mesh --yes"},
	{name: "a mesh of that name elsewhere", plant: oneDeployment + "elsewhere",
		problem: "a mesh of the name osm is in namespace elsewhere", hint: "choose another name with --mesh-name", run: "true", instead: []string{"--mesh-name", "other"}},
	{name: "a mesh of that name elsewhere, which is to go", plant: oneDeployment + "elsewhere",
		problem: "a mesh of the name osm is in namespace elsewhere", hint: "or osm uninstall mesh --osm-namespace elsewhere", run: "osm uninstall mesh --osm-namespace elsewhere --yes"},

	{name: "another mesh in the namespace", plant: oneDeployment + "osm-system", given: []string{"--mesh-name", "other"},
		problem: "namespace osm-system has mesh osm, and is for one", hint: "choose another namespace with --osm-namespace", run: "true", instead: []string{"--mesh-name", "other", "--osm-namespace", "free"}},
	{name: "another mesh in the namespace, which is to go", plant: oneDeployment + "osm-system", given: []string{"--mesh-name", "other"},
		problem: "namespace osm-system has mesh osm, and is for one", hint: "or osm uninstall mesh", run: "osm uninstall mesh --yes"},

	{name: "an unknown kind", given: valuesOf("osm.monitoring.podMonitor=true"),
		problem: "PodMonitor osm cannot be made: the cluster does not know the kind", hint: "--set osm.monitoring.podMonitor=false", run: "true", instead: valuesOf("osm.monitoring.podMonitor=false")},
	{name: "another unknown kind", given: valuesOf("osm.monitoring.rules=true"),
		problem: "PrometheusRule osm cannot be made", hint: "--set osm.monitoring.rules=false", run: "true", instead: valuesOf("osm.monitoring.rules=false")},
	{name: "a kind that can be defined", given: valuesOf("osm.monitoring.podMonitor=true"),
		problem: "PodMonitor osm cannot be made: the cluster does not know the kind", hint: "install what defines it",
		run: `printf '{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"podmonitors.monitoring.coreos.com"},"spec":{"group":"monitoring.coreos.com","scope":"Namespaced","names":{"plural":"podmonitors","kind":"PodMonitor"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}' | kubectl create -f - && kubectl wait --for=condition=Established crd/podmonitors.monitoring.coreos.com`},
	{name: "an object that is being deleted",
		plant:   `kubectl create clusterrole osm-controller-osm --verb=get --resource=pods && kubectl patch clusterrole osm-controller-osm -p '` + finalizers + `' && kubectl delete clusterrole osm-controller-osm --wait=false`,
		problem: "ClusterRole osm-controller-osm is being deleted", hint: "waits for its finalizer example.com/stuck"},
	{name: "an object of a tool", plant: "kubectl create clusterrole osm-controller-osm --verb=get --resource=pods && kubectl label clusterrole osm-controller-osm argocd.argoproj.io/instance=mesh-prod",
		problem: "ClusterRole osm-controller-osm is there, managed by Argo CD's Application mesh-prod", hint: "choose another name with --mesh-name", run: "true", instead: []string{"--mesh-name", "other"}},
	{name: "an object of a tool in the namespace", plant: "kubectl create configmap osm-preset -n osm-system && kubectl label configmap osm-preset -n osm-system argocd.argoproj.io/instance=mesh-prod",
		problem: "ConfigMap osm-system/osm-preset is there, managed by Argo CD's Application mesh-prod", hint: "choose another namespace with --osm-namespace", run: "true", instead: []string{"--osm-namespace", "free"}},
	{name: "an object of another", plant: "kubectl create clusterrole osm-controller-osm --verb=get --resource=pods",
		problem: "ClusterRole osm-controller-osm is there, and does not belong to mesh osm", hint: "kubectl delete clusterrole osm-controller-osm", run: "kubectl delete clusterrole osm-controller-osm"},
	{name: "an object of another, and another name", plant: "kubectl create clusterrole osm-controller-osm --verb=get --resource=pods",
		problem: "ClusterRole osm-controller-osm is there, and does not belong to mesh osm", hint: "choose another name with --mesh-name", run: "true", instead: []string{"--mesh-name", "other"}},
	{name: "an object of another in the namespace", plant: "kubectl create configmap osm-preset -n osm-system",
		problem: "ConfigMap osm-system/osm-preset is there, and does not belong to mesh osm", hint: "kubectl delete configmap osm-preset -n osm-system", run: "kubectl delete configmap osm-preset -n osm-system"},
	{name: "an object of another, and another namespace", plant: "kubectl create configmap osm-preset -n osm-system",
		problem: "ConfigMap osm-system/osm-preset is there, and does not belong to mesh osm", hint: "choose another namespace with --osm-namespace", run: "true", instead: []string{"--osm-namespace", "free"}},

	{name: "a setting that the mesh's webhook would refuse", given: valuesOf("osm.sidecarResources.requests.cpu=2,osm.sidecarResources.limits.cpu=1"),
		problem: "the values make a MeshConfig that is refused: spec.sidecar.resources.requests[cpu]", hint: "correct osm.sidecarResources.limits.cpu, osm.sidecarResources.requests.cpu with --set", run: "true", instead: valuesOf("osm.sidecarResources.requests.cpu=1,osm.sidecarResources.limits.cpu=1")},
	{name: "an address that there is none of", given: valuesOf("osm.certificateProvider.kind=vault,osm.vault.token=t,osm.vault.host=[:::]"),
		problem: "the values make a MeshRootCertificate that is refused: spec.provider.vault.address", hint: "correct osm.vault.host with --set", run: "true", instead: valuesOf("osm.certificateProvider.kind=vault,osm.vault.token=t,osm.vault.host=v.example")},

	{name: "another trust domain than the mesh's", given: valuesOf("osm.trustDomain=prod.example"), plant: tresorApplied,
		problem: "osm.trustDomain is prod.example, and the mesh's is cluster.local", hint: "--set osm.trustDomain=cluster.local", run: "true", instead: valuesOf("osm.trustDomain=cluster.local")},
	{name: "another provider than the mesh's", given: valuesOf("osm.certificateProvider.kind=vault,osm.vault.host=v.example,osm.vault.token=t"), plant: tresorApplied,
		problem: "osm.certificateProvider.kind is vault, and MeshRootCertificate first is what signs, by tresor", hint: "leave osm.certificateProvider.kind out", run: "true", instead: valuesOf("osm.vault.host=v.example,osm.vault.token=t")},
	{name: "no login for the mesh's Vault", plant: vaultApplied,
		problem: "MeshRootCertificate first has Vault at https://v.example:8200, where the mesh may not log in", hint: "give osm.certificateProvider.kind=vault, osm.vault.protocol, host and port", run: "true",
		instead: valuesOf("osm.certificateProvider.kind=vault,osm.vault.protocol=https,osm.vault.host=v.example,osm.vault.port=8200,osm.vault.token=t")},

	{name: "the namespace is being deleted, with an object that waits",
		plant:   `kubectl create configmap stuck -n osm-system && kubectl patch configmap stuck -n osm-system -p '` + finalizers + `' && kubectl delete namespace osm-system --wait=false && kubectl wait namespace/osm-system --for=condition=NamespaceFinalizersRemaining --timeout=30s`,
		problem: "namespace osm-system is being deleted: Some content in the namespace has finalizers remaining: example.com/stuck", hint: "kubectl wait --for=delete namespace/osm-system",
		run: `kubectl patch configmap stuck -n osm-system -p '` + noFinalizers + `' && HINT`},
	{name: "the namespace is being deleted, and waits itself",
		plant:   `kubectl create namespace osm-system && kubectl patch namespace osm-system -p '` + finalizers + `' && kubectl delete namespace osm-system --wait=false`,
		problem: "namespace osm-system is being deleted", hint: "waits for its finalizer example.com/stuck"},
}

// ready is what cert-manager says of an issuer, once the hint has shown why it is not.
const ready = `HINT && kubectl patch --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}' `

func TestWhatAnInstallationRefusesIsFixedByItsHint(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	l := lifecycle{c, client}
	s := shellOf(t, &l)
	s.run(t, `for mesh in osm other; do kubectl create clusterrole osm-bootstrap-$mesh --verb=get --resource=pods; done; kubectl create namespace elsewhere`)
	for _, one := range refusalCases {
		t.Run(one.name, func(t *testing.T) { s.plantAndFollow(t, one) })
	}
}

func (s *hintShell) plantAndFollow(t *testing.T, one refusalCase) {
	if one.plant != "" {
		s.run(t, one.plant)
	}
	hint := s.refusedWith(t, one)
	says(t, hint, one.hint)
	given := one.given
	if one.instead != nil {
		given = one.instead
	}
	if one.install != nil {
		if err := one.install(testkit.Context(t, time.Minute), s.cluster.Config()); err != nil {
			t.Fatal(err)
		}
		one.run = "true"
	}
	line := cmp.Or(one.run, "HINT")
	if _, command, found := strings.Cut(hint, "kubectl "); found {
		line = strings.ReplaceAll(line, "HINT", "kubectl "+command)
	}
	s.run(t, line)
	out, problem, code := osm(t, s.cluster.Kubeconfig(), append([]string{"install"}, given...)...)
	if _, fault := hintOf(out, one.problem); code != 1 || fault || !strings.Contains(problem, "to fix first") {
		t.Errorf("after %q it is refused still, status %d:\n%s%s", line, code, out, problem)
	}
	says(t, out, inTheWay)
	s.run(t, noObjects)
}

// refusedWith returns the hint of the case's refusal.
func (s *hintShell) refusedWith(t *testing.T, one refusalCase) string {
	t.Helper()
	out, problem, code := osm(t, s.cluster.Kubeconfig(), append([]string{"install"}, one.given...)...)
	hint, found := hintOf(out, one.problem)
	if !found || code != 1 || !strings.Contains(problem, "nothing was installed: ") {
		t.Fatalf("it does not say %q, status %d:\n%s%s", one.problem, code, out, problem)
	}
	return hint
}

// hintOf returns what fixes a problem that was printed.
func hintOf(out, problem string) (hint string, found bool) {
	for _, one := range strings.Split(out, "\nerror   ")[1:] {
		text, hint, _ := strings.Cut(one, "\n    to fix it: ")
		if strings.Contains(text+"\n", problem) {
			first, rest, _ := strings.Cut(hint, "\n")
			for line := range strings.Lines(rest) {
				if !strings.HasPrefix(line, "    ") {
					break
				}
				first += "\n" + line
			}
			return first, true
		}
	}
	return "", false
}

// hintShell runs commands where the files of hints are.
type hintShell struct {
	*lifecycle
	dir string
}

func shellOf(t *testing.T, l *lifecycle) *hintShell {
	t.Helper()
	s := &hintShell{l, t.TempDir()}
	root, _, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"token": "s.t0ken", "ca.crt": string(trustbundle.New(root).PEM())} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *hintShell) run(t *testing.T, line string) {
	t.Helper()
	absolute, err := filepath.Abs(chart)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(testkit.Context(t, time.Minute), "bash", "-euo", "pipefail", "-c", line)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "CHART="+absolute, "KUBECONFIG="+s.cluster.Kubeconfig(), "HOME="+s.dir, "PATH="+bin+":"+s.cluster.BinDir()+":"+os.Getenv("PATH"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}
