//go:build cli

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/mesh"
)

// helmRefused fails the test unless the command does, and says all of the texts.
func (l *lifecycle) helmRefused(t *testing.T, args []string, texts ...string) {
	t.Helper()
	binary, err := helmBinary()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, append(args, "-n", mesh.Namespace)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+l.cluster.Kubeconfig(), "HOME="+t.TempDir())
	out, err := command.CombinedOutput()
	if err == nil {
		t.Errorf("helm %s succeeds:\n%s", strings.Join(args, " "), out)
	}
	says(t, string(out), texts...)
}

func TestAMeshIsNotLeftHalfWay(t *testing.T) {
	testLifecycle(t, []step{
		{"an upgrade to another identity is refused before anything is applied", (*lifecycle).keepIdentity},
		{"an installation over what another identity left is refused", (*lifecycle).keepIdentityThatWasLeft},
		{"an installation is signed by what it says, or refused", (*lifecycle).keepProvider},
		{"values that do not take effect are named, with what does it", (*lifecycle).nameValues},
		{"helm refuses another identity, too", (*lifecycle).keepIdentityByHelm},
	})
}

// state is everything that an upgrade of the mesh would write; the reports of
// replicas come and go by themselves.
func (l *lifecycle) state(t *testing.T) string {
	t.Helper()
	return l.kubectl(t, "get", "secret,deployment,configmap,clusterrole,mutatingwebhookconfiguration", "-l", "!openservicemesh.io/acknowledgements", "-o",
		"jsonpath={range .items[*]}{.metadata.name}{.metadata.generation}{.data.ca\\.crt}{.data.release}{.data.mesh-config\\.yaml}{.rules} {end}")
}

func (l *lifecycle) keepIdentity(t *testing.T) {
	l.osm(t, "install", patientLimit)
	before := l.state(t)
	l.refused(t, []string{"upgrade", "--set", "osm.trustDomain=prod.example"},
		"osm.trustDomain is prod.example, and the mesh's is cluster.local", "--set osm.trustDomain=cluster.local", "osm uninstall mesh --delete-ca", "nothing was changed")
	l.refused(t, []string{"upgrade", "--dry-run", "--set", "osm.trustDomain=prod.example"}, "osm.trustDomain is prod.example")
	l.refused(t, []string{"upgrade", "--set", "osm.caBundleSecretName=other"}, "is in Secret osm-ca-bundle", "--set osm.caBundleSecretName=osm-ca-bundle")
	l.osm(t, "upgrade", "--dry-run", "--set", "osm.trustDomain=prod.example,osm.caBundleSecretName=other", "--set", "osm.trustDomain=cluster.local", "--set", "osm.caBundleSecretName=osm-ca-bundle") // as the hints say
	l.refused(t, []string{"upgrade", "--set", "osm.certificateProvider.kind=vault,osm.vault.host=v.example,osm.vault.token=s.t0ken"}, "osm.certificateProvider.kind is vault", "by tresor", "leave osm.certificateProvider.kind out")
	l.osm(t, "upgrade", "--dry-run", "--set", "osm.vault.host=v.example,osm.vault.token=s.t0ken") // as the hint says
	l.refused(t, []string{"upgrade", "--set", "osm.meshName=other"}, "--mesh-name alone")
	if after := l.state(t); after != before {
		t.Errorf("something was changed:\n%s\nbefore:\n%s", after, before)
	}
}

func (l *lifecycle) keepIdentityThatWasLeft(t *testing.T) {
	l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
	l.refused(t, []string{"install", "--set", "osm.trustDomain=prod.example"}, "osm.trustDomain is prod.example, and the mesh's is cluster.local", "nothing was installed")
	if left := l.kubectl(t, "get", "deployment", "-o", "name"); left != "" {
		t.Errorf("there is %s", left)
	}
}

func (l *lifecycle) keepProvider(t *testing.T) {
	l.refused(t, []string{"install", "--set", "osm.certificateProvider.kind=vault,osm.vault.host=v.example,osm.vault.token=s.t0ken"},
		"osm.certificateProvider.kind is vault, and MeshRootCertificate osm-mesh-root-certificate is what signs, by tresor", "tresor can sign", "nothing was installed")
	out := l.osm(t, "install", patientLimit, "--set", "osm.certificateProvider.serviceCertValidityDuration=2h,osm.certificateProvider.kind=tresor")
	says(t, out, "osm.certificateProvider.serviceCertValidityDuration: MeshConfig osm-mesh-config takes precedence, where spec.certificate.serviceCertValidityDuration is 24h", "tresor can sign")
}

func (l *lifecycle) nameValues(t *testing.T) {
	out := l.osm(t, "upgrade", patientLimit, "--set", "osm.certificateProvider.serviceCertValidityDuration=1h,osm.enableEgress=true,osm.vault.mount=pki2,osm.inboundPortExclusionList={8080}")
	says(t, out, "MeshConfig osm-mesh-config takes precedence, where spec.certificate.serviceCertValidityDuration is 24h", "osm.enableEgress has no effect", "osm.vault.mount has no effect")
	if strings.Contains(out, "inboundPortExclusionList") {
		t.Errorf("a list that the MeshConfig does not have is as the values say:\n%s", out)
	}
	l.refused(t, []string{"upgrade", "-n", "books"}, "--osm-namespace names the namespace of the mesh")
	_, command, found := strings.Cut(out, "to change it: ")
	if !found {
		t.Fatalf("it does not say what to do:\n%s", out)
	}
	command, _, _ = strings.Cut(command, "\n")
	l.shell(t, command)
	if out := l.osm(t, "upgrade", patientLimit, "--set", "osm.certificateProvider.serviceCertValidityDuration=1h"); strings.Contains(out, "takes precedence") {
		t.Errorf("the MeshConfig says so:\n%s", out)
	}
	if got := l.kubectl(t, "get", "meshconfig", "osm-mesh-config", "-o", "jsonpath={.spec.certificate.serviceCertValidityDuration}"); got != "1h" {
		t.Errorf("the MeshConfig says %q", got)
	}
	says(t, l.osm(t, "upgrade", "--dry-run", "--reset-values"), "osm.certificateProvider.serviceCertValidityDuration: MeshConfig osm-mesh-config takes precedence, where spec.certificate.serviceCertValidityDuration is 1h")
}

func (l *lifecycle) keepIdentityByHelm(t *testing.T) {
	before := l.state(t)
	l.helmRefused(t, []string{"upgrade", "osm", chart, "--reset-then-reuse-values", "--set", "osm.trustDomain=prod.example"}, "osm.trustDomain is prod.example, and the mesh's is cluster.local", "set osm.trustDomain=cluster.local")
	l.helmRefused(t, []string{"upgrade", "osm", chart, "--reset-then-reuse-values", "--set", "osm.meshName=other"}, "osm.meshName is other, and the mesh in namespace osm-system is osm")
	if after := l.state(t); after != before {
		t.Errorf("something was changed:\n%s\nbefore:\n%s", after, before)
	}
	l.helm(t, "upgrade", "osm", chart, "--reset-then-reuse-values", "--set", "osm.trustDomain=cluster.local")
	l.osm(t, "uninstall", "mesh", "--yes", patientLimit)
	l.helmRefused(t, []string{"install", "osm", chart, "--set", "osm.trustDomain=prod.example"}, "osm.trustDomain is prod.example, and the mesh's is cluster.local")
	l.helm(t, "install", "osm", chart)
}

// shell runs what a message says.
func (l *lifecycle) shell(t *testing.T, line string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", line)
	command.Env = append(os.Environ(), "KUBECONFIG="+l.cluster.Kubeconfig(), "HOME="+t.TempDir(), "PATH="+filepath.Clean(l.cluster.BinDir())+":"+os.Getenv("PATH"))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}
