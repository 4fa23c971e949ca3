package cluster_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/testkit"
)

func TestDialFindsAPodByEveryAddressItHas(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.create(t, "server", corev1.PodSpec{Containers: []corev1.Container{server()}})
	pod := s.awaitPod(t, "server", ready)
	service := s.expose(t, 80, 8080)
	name := "server." + s.namespace + ".svc"
	for _, address := range []string{name + ":80", name + ".cluster.local:80", name + ".cluster.local.:80", service.Spec.ClusterIP + ":80", pod.Status.PodIP + ":8080"} {
		testkit.Await(t, "an answer at "+address, func() error {
			a, err := s.ask(t.Context(), address)
			if err != nil {
				return err
			}
			return unless(a.Pod == "server", "answered by %q", a.Pod)
		})
	}
}

func TestDialRefusesAnAddressWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	service := s.expose(t, 80, 8080)
	name := "server." + s.namespace + ".svc"
	for sentence, test := range map[string]struct {
		address string
		want    error
	}{
		"a Service without endpoints":             {name + ":80", syscall.ECONNREFUSED},
		"its cluster address":                     {service.Spec.ClusterIP + ":80", syscall.ECONNREFUSED},
		"a port that the Service doesn't have":    {name + ":81", syscall.ECONNREFUSED},
		"a cluster address of no Service":         {"10.96.255.254:80", syscall.ECONNREFUSED},
		"a Service that isn't there":              {"other." + s.namespace + ".svc:80", nil},
		"a name outside the cluster":              {"example.org:80", nil},
		"a name of another cluster":               {name + ".other.local:80", nil},
		"no port":                                 {name, nil},
		"a port that is no number":                {name + ":http", nil},
		"a pod's address where no one listens":    {"10.244.255.254:9", syscall.ECONNREFUSED},
		"the Service kubernetes on another port ": {"kubernetes.default.svc:444", syscall.ECONNREFUSED},
	} {
		testkit.Await(t, sentence, func() error { // which watches have not told at once
			conn, err := s.cluster.Dial(t.Context(), "tcp", test.address)
			if err == nil {
				t.Errorf("%s: connected to %s", sentence, conn.RemoteAddr())
				return conn.Close()
			}
			if test.want != nil && !errors.Is(err, test.want) {
				return fmt.Errorf("got %w, want %w", err, test.want)
			}
			return nil
		})
	}
}

func TestATestServesAServiceItself(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Pod":"the test"}`) }))
	defer listener.Close()
	address := "own." + s.namespace + ".svc:443"
	s.cluster.Serve(s.namespace+"/own", 443, listener.Listener.Addr().String())
	if a, err := s.ask(t.Context(), address); err != nil || a.Pod != "the test" {
		t.Errorf("answered by %q and %v", a.Pod, err)
	}
	s.cluster.Serve(s.namespace+"/own", 443)
	if conn, err := s.cluster.Dial(t.Context(), "tcp", address); err == nil {
		t.Errorf("connected to %s after the end", conn.RemoteAddr())
	}
}

func TestTheAPIServerIsAServiceToo(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	for _, host := range []string{"kubernetes.default.svc", "10.96.0.1"} {
		testkit.Await(t, "the API server at "+host, func() error {
			conn, err := s.cluster.Dial(t.Context(), "tcp", net.JoinHostPort(host, "443"))
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
}
