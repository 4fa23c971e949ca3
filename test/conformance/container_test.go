package conformance

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/injector"
)

// container is the sidecar's in a pod, as the injector writes it.
func container(t testing.TB) corev1.Container {
	t.Helper()
	config, err := injector.NewConfig(injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local",
		SidecarImage: "example.test/sidecar:v1", InitImage: "example.test/osm-init:v1", Placement: injector.Container,
		LogLevel: cmp.Or(os.Getenv("PIPY_LOG"), "info"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range injected(t, config).Spec.Containers {
		if c.Name == "sidecar" {
			return c
		}
	}
	t.Fatal("no sidecar")
	return corev1.Container{}
}

// injected is a pod of bookbuyer with its sidecar.
func injected(t testing.TB, config *injector.Config) (pod corev1.Pod) {
	t.Helper()
	raw := []byte(`{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "app", "image": "example.test/app:v1"}]}}`)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookbuyer", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}}
	result := config.Inject(raw, namespace, "1f0c2d1e-93f6-4f3a-8a53-4a1c38f1c1a0")
	encoded, err := json.Marshal(result.Patch)
	if err != nil || result.Decision != injector.Injected {
		t.Fatal(result.Err, err)
	}
	patch, err := jsonpatch.DecodePatch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = patch.Apply(raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// command is what runs in the container, with a program for its Pipy, and with
// the proxy's directory where the kubelet would mount it.
func (p *proxy) command(program string) *exec.Cmd {
	p.t.Helper()
	program, err := filepath.Abs(program)
	if err != nil {
		p.t.Fatal(err)
	}
	bin := filepath.Join(p.directory, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "pipy")); err != nil {
		p.t.Fatal(err)
	}
	c := container(p.t)
	all := append(c.Command, c.Args...)
	for i := range all {
		all[i] = strings.Replace(all[i], path.Dir(injector.BootstrapFile), p.directory, 1)
	}
	command := exec.Command(all[0], all[1:]...)
	command.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	return command
}
