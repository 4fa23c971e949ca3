//go:build cli

package integration

import (
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/mesh"
)

// gateway is the way to an API server that is away at times.
type gateway struct {
	net.Listener
	to string

	mu     sync.Mutex
	open   map[net.Conn]bool
	refuse int // connections; those of a negative number without end
}

// startGateway returns a gateway, and a kubeconfig that leads through it.
func startGateway(t *testing.T, kubeconfig string) (*gateway, string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{Listener: listener, open: map[net.Conn]bool{}}
	for _, c := range config.Clusters {
		server, err := url.Parse(c.Server)
		if err != nil {
			t.Fatal(err)
		}
		g.to, c.Server = server.Host, "https://"+listener.Addr().String()
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go g.serve()
	return g, file
}

func (g *gateway) serve() {
	for {
		client, err := g.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.to)
		g.mu.Lock()
		if err != nil || g.refuse != 0 {
			g.refuse--
			client.Close()
			if err == nil {
				server.Close()
			}
		} else {
			g.open[client] = true
			go pass(client, server)
			go pass(server, client)
		}
		g.mu.Unlock()
	}
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // which ends with either of them
	from.Close()
	to.Close()
}

// goAway ends all connections, and refuses the next ones.
func (g *gateway) goAway(refuse int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = refuse
	for c := range g.open {
		c.Close()
		delete(g.open, c)
	}
}

func (g *gateway) refused(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refuse > 0 {
		t.Errorf("%d connections more were to be refused", g.refuse)
	}
}

func TestAnUninstallationWaitsForAnAPIServerThatIsAway(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	l := lifecycle{c, client}
	l.osm(t, "install", patientLimit)
	through, kubeconfig := startGateway(t, c.Kubeconfig())
	gone := func(w watch.Interface, err error, then func()) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
		go func() {
			for event := range w.ResultChan() {
				if event.Type == watch.Deleted {
					then()
					return
				}
			}
		}()
	}
	named := func(name string) metav1.ListOptions {
		return metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	}

	w, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Watch(t.Context(), named("osm-webhook-osm"))
	gone(w, err, func() { through.goAway(-1) })
	out, problem, code := osm(t, kubeconfig, "uninstall", "mesh", "--delete-ca", "--yes", "--timeout=20s")
	if code != 1 || strings.Contains(problem, "is not deleted yet") {
		t.Errorf("status %d, %s\n%s", code, problem, out)
	}
	says(t, problem, strings.TrimPrefix(through.Addr().String(), "tcp://"), "osm uninstall mesh can be repeated")

	through.goAway(0)
	for _, name := range []string{"osm-controller", "osm-bootstrap"} {
		w, err := client.AppsV1().Deployments(mesh.Namespace).Watch(t.Context(), named(name))
		gone(w, err, func() { through.goAway(10) })
	}
	w, err = client.CoreV1().ServiceAccounts(mesh.Namespace).Watch(t.Context(), named("osm-bootstrap"))
	gone(w, err, func() { through.goAway(10) })
	w, err = client.CoreV1().Secrets(mesh.Namespace).Watch(t.Context(), named("sh.helm.release.v1.osm.v1"))
	gone(w, err, func() { through.goAway(10) })
	if out, problem, code := osm(t, kubeconfig, "uninstall", "mesh", "--delete-ca", "--yes", patientLimit); code != 0 {
		t.Errorf("status %d, %s\n%s", code, problem, out)
	}
	through.refused(t)
	l.gone(t)
}
