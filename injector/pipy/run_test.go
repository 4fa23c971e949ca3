package pipy_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/test/netns"
	realpipy "github.com/osm-edge/osm/test/pipy"
	"github.com/osm-edge/osm/test/testkit"
)

// pipyBinary is the Pipy to run the scripts with.
func pipyBinary(t testing.TB) string {
	t.Helper()
	path, err := realpipy.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if path == "" {
		t.Skip("name a Pipy to run the scripts with in " + realpipy.Variable)
	}
	return path
}

// both runs the program as the sidecar of both pods.
func (m *mesh) both(program string) (calling, called *proxy) {
	m.t.Helper()
	calling = m.run(m.pipyPod, "bookbuyer/bookbuyer", program, everything)
	called = m.run(m.otherPod, "bookstore/bookstore-v2", program, nothing)
	calling.waitReady(pipyAddress)
	called.waitReady(otherAddress)
	return calling, called
}

// What is intercepted of what goes out.
var (
	everything = interception.Outbound{Port: 15001}
	nothing    = interception.Outbound{Port: 15001, ExcludeRanges: prefixes("0.0.0.0/0", "::/0")}
)

// run runs the program as the sidecar of the pod.
func (m *mesh) run(n *netns.Namespace, account, program string, outbound interception.Outbound) *proxy {
	m.t.Helper()
	p := m.proxy(n, account)
	p.mountScripts()
	m.intercept(n, outbound)
	p.start(program)
	return p
}

// proxy is a sidecar that does not run yet.
func (m *mesh) proxy(n *netns.Namespace, account string) *proxy {
	m.t.Helper()
	return &proxy{t: m.t, n: n, directory: m.volume(bootstrap(m.t, "/DIRECTORY", account)), ended: make(chan error, 1)}
}

func (p *proxy) mountScripts() {
	p.t.Helper()
	for name, content := range pipy.Scripts() {
		p.mount("pipy/"+name, []byte(content))
	}
}

// reference builds the reference sidecar.
func reference(t testing.TB) string {
	t.Helper()
	// Not of the test alone: the sidecar's user runs it.
	directory, err := os.MkdirTemp("", "reference")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(directory, "sidecar")
	build := exec.Command("go", "build", "-o", program, "github.com/osm-edge/osm/test/sidecar/cmd/sidecar")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the reference sidecar: %v\n%s", err, output)
	}
	return program
}

// passThrough runs a Pipy in both pods that carries mutual TLS, with nothing of
// the mesh.
func (m *mesh) passThrough() (both []*proxy) {
	m.t.Helper()
	script, err := os.ReadFile("testdata/passthrough.js")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, end := range []struct {
		n        *netns.Namespace
		account  string
		outbound interception.Outbound
	}{{m.pipyPod, "bookbuyer/bookbuyer", everything}, {m.otherPod, "bookstore/bookstore-v2", nothing}} {
		p := m.proxy(end.n, end.account)
		namespace, name, _ := strings.Cut(end.account, "/")
		c, err := m.manager.IssueCertificate(m.t.Context(), identityOf(m.t, namespace, name))
		if err != nil {
			m.t.Fatal(err)
		}
		p.mount("chain.pem", c.ChainPEM())
		p.mount("key.pem", c.KeyPEM())
		p.mount("passthrough.js", script)
		m.intercept(end.n, end.outbound)
		both = append(both, p)
		p.startCommand(exec.Command(pipyBinary(m.t), p.directory+"/passthrough.js", "--", p.directory, net.JoinHostPort(otherAddress, "8080")))
	}
	listens := func(n *netns.Namespace, address string) bool {
		conn, err := dial(n, address)
		return err == nil && conn.Close() == nil
	}
	testkit.Eventually(m.t, "both listen", func() bool {
		return listens(m.pipyPod, "127.0.0.1:15001") && listens(m.otherPod, net.JoinHostPort(otherAddress, "15003"))
	})
	return both
}
